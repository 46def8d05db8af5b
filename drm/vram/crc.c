// SPDX-License-Identifier: GPL-2.0
/*
 * CRCs of the displayed frames, for tests (debugfs, crtc-N/crc)
 *
 * The hardware computes none. A worker reads VRAM as the display does and
 * hashes the resulting colours, so the value does not depend on the pixel
 * format or on unused bits. DRM's "CRC" is a 64-bit xxhash here, reported as
 * two values, because it is much faster to compute and must be done within a
 * frame.
 *
 * There is an entry for the frame that is shown when CRCs are enabled, and for
 * each vblank from then on. If the worker is late, it computes one value for
 * all frames with the same picture. A commit flushes the worker twice: before
 * it changes the picture, so that each frame gets its own value, and before it
 * unpins the old picture.
 */
#include <drm/drm_cache.h>
#include <drm/drm_crtc.h>
#include <drm/drm_debugfs_crc.h>
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_managed.h>
#include <drm/drm_vblank.h>
#include <linux/iosys-map.h>
#include <linux/swab.h>
#include <linux/xxhash.h>

#include "vram.h"

static struct vram_crc *vram_crtc_to_crc(struct drm_crtc *crtc)
{
	return &container_of(crtc, struct vram_display, crtc)->crc;
}

static struct vram_display *vram_crc_to_display(struct vram_crc *crc)
{
	return container_of(crc, struct vram_display, crc);
}

/* Expands 5 and 6 bits to 8 as the display does. */
static u32 vram_crc_rgb565_pixel(u16 pixel)
{
	u32 r = pixel >> 11, g = pixel >> 5 & 0x3f, b = pixel & 0x1f;

	return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 |
	       (b << 3 | b >> 2);
}

static void vram_crc_rgb565_to_rgb(u32 *rgb, const u16 *raw, u32 width)
{
	u32 x;

	for (x = 0; x < width; x++)
		rgb[x] = vram_crc_rgb565_pixel(raw[x]);
}

static void vram_crc_bgrx8888_to_rgb(u32 *rgb, const u32 *raw, u32 width)
{
	u32 x;

	for (x = 0; x < width; x++)
		rgb[x] = swab32(raw[x]) & 0xffffff;
}

/* Two pixels at once: the most used format, and the time is limited. */
static void vram_crc_xrgb8888_to_rgb(u32 *rgb, const u32 *raw, u32 width)
{
	const u64 *raw2 = (const u64 *)raw;
	u64 *rgb2 = (u64 *)rgb;
	u32 x;

	for (x = 0; x < DIV_ROUND_UP(width, 2); x++)
		rgb2[x] = raw2[x] & 0x00ffffff00ffffffULL;
}

static void vram_crc_line_to_rgb(struct vram_crc *crc, u32 format, u32 width)
{
	switch (format) {
	case DRM_FORMAT_RGB565:
		vram_crc_rgb565_to_rgb(crc->rgb, crc->raw, width);
		break;
	case DRM_FORMAT_BGRX8888:
		vram_crc_bgrx8888_to_rgb(crc->rgb, crc->raw, width);
		break;
	default:
		vram_crc_xrgb8888_to_rgb(crc->rgb, crc->raw, width);
		break;
	}
}

static void vram_crc_add_lines(struct vram_crc *crc, struct xxh64_state *hash,
			       const struct vram_scanout *scanout)
{
	void __iomem *io = vram_crc_to_display(crc)->vram->io + scanout->offset;
	u32 y;

	for (y = 0; y < scanout->height; y++) {
		struct iosys_map from, to;

		iosys_map_set_vaddr_iomem(&from, io + (u64)y * scanout->pitch);
		iosys_map_set_vaddr(&to, crc->raw);
		drm_memcpy_from_wc(&to, &from,
				   scanout->width * scanout->format->cpp[0]);
		vram_crc_line_to_rgb(crc, scanout->format->format,
				     scanout->width);
		xxh64_update(hash, crc->rgb,
			     scanout->width * sizeof(*crc->rgb));
		cond_resched();
	}
}

static void vram_crc_add_black(struct vram_crc *crc, struct xxh64_state *hash,
			       const struct vram_scanout *scanout)
{
	u32 y;

	memset(crc->rgb, 0, scanout->width * sizeof(*crc->rgb));
	for (y = 0; y < scanout->height; y++)
		xxh64_update(hash, crc->rgb,
			     scanout->width * sizeof(*crc->rgb));
}

/* Black if there is no picture or the card is gone. */
static u64 vram_crc_of(struct vram_crc *crc, const struct vram_scanout *scanout)
{
	struct drm_device *drm = &vram_crc_to_display(crc)->vram->drm;
	struct xxh64_state hash;
	int idx;

	xxh64_reset(&hash, 0);
	if (!scanout->format || !drm_dev_enter(drm, &idx)) {
		vram_crc_add_black(crc, &hash, scanout);
	} else {
		vram_crc_add_lines(crc, &hash, scanout);
		drm_dev_exit(idx);
	}
	return xxh64_digest(&hash);
}

static bool vram_crc_next_job(struct vram_crc *crc, struct vram_crc_job *job)
{
	guard(spinlock_irq)(&crc->lock);

	if (!crc->count)
		return false;
	*job = crc->jobs[0];
	crc->jobs[0] = crc->jobs[1];
	crc->count--;
	return true;
}

/*
 * Process only the jobs that exist at the start; frames that begin meanwhile
 * queue the work again. Otherwise flush_work() might never return when reading
 * a frame takes longer than displaying it.
 */
static void vram_crc_work(struct work_struct *work)
{
	struct vram_crc *crc = container_of(work, struct vram_crc, work);
	struct drm_crtc *crtc = &vram_crc_to_display(crc)->crtc;
	struct vram_crc_job jobs[ARRAY_SIZE(crc->jobs)];
	unsigned int i, n = 0;
	u64 value, frame;
	u32 values[2];

	while (n < ARRAY_SIZE(jobs) && vram_crc_next_job(crc, &jobs[n]))
		n++;
	for (i = 0; i < n; i++) {
		value = vram_crc_of(crc, &jobs[i].scanout);
		values[0] = upper_32_bits(value);
		values[1] = lower_32_bits(value);
		for (frame = jobs[i].first; frame <= jobs[i].last; frame++)
			drm_crtc_add_crc_entry(crtc, true, frame, values);
	}
}

static void vram_crc_add_frame(struct vram_crc *crc, u64 frame)
{
	struct vram_crc_job *job;

	lockdep_assert_held(&crc->lock);

	/* vram_crc_set_source() may have added this frame already. */
	if (!crc->on || frame <= crc->last)
		return;
	crc->last = frame;

	job = crc->count ? &crc->jobs[crc->count - 1] : NULL;
	if (!job || job->shown != crc->shown) {
		/* Commits flush the worker: at most two pictures. */
		if (!WARN_ON_ONCE(crc->count == ARRAY_SIZE(crc->jobs)))
			crc->count++;
		job = &crc->jobs[crc->count - 1];
		job->scanout = crc->now;
		job->shown = crc->shown;
		job->first = frame;
	}
	job->last = frame;
	queue_work(crc->wq, &crc->work);
}

/**
 * vram_crc_frame - request the CRC of a frame
 * @crc: the display's CRCs
 * @frame: number of the frame, which begins now
 *
 * Context: interrupt.
 */
void vram_crc_frame(struct vram_crc *crc, u64 frame)
{
	/* Avoid the lock: a commit may hold it during slow register writes. */
	if (!READ_ONCE(crc->on))
		return;
	guard(spinlock_irqsave)(&crc->lock);
	vram_crc_add_frame(crc, frame);
}

/**
 * vram_crc_flush - wait for the CRCs of all past frames
 * @crc: the display's CRCs
 *
 * Context: may sleep.
 */
void vram_crc_flush(struct vram_crc *crc)
{
	flush_work(&crc->work);
}

static const char *const vram_crc_source_names[] = { "auto" };

/**
 * vram_crc_sources - &drm_crtc_funcs.get_crc_sources
 * @crtc: the CRTC
 * @count: out: number of sources
 *
 * Context: any.
 * Return: the names of the sources.
 */
const char *const *vram_crc_sources(struct drm_crtc *crtc, size_t *count)
{
	*count = ARRAY_SIZE(vram_crc_source_names);
	return vram_crc_source_names;
}

/**
 * vram_crc_verify_source - &drm_crtc_funcs.verify_crc_source
 * @crtc: the CRTC
 * @source: name of a source, or NULL for none
 * @values: out: number of values per entry
 *
 * Context: any.
 * Return: 0, or -EINVAL for an unknown source.
 */
int vram_crc_verify_source(struct drm_crtc *crtc, const char *source,
			   size_t *values)
{
	if (source && strcmp(source, vram_crc_source_names[0]))
		return -EINVAL;
	*values = 2;
	return 0;
}

/**
 * vram_crc_set_source - &drm_crtc_funcs.set_crc_source
 * @crtc: the CRTC
 * @source: name of the source to enable, or NULL to disable CRCs
 *
 * Context: may sleep.
 * Return: 0, or -EINVAL for an unknown source or a CRTC that is off.
 */
int vram_crc_set_source(struct drm_crtc *crtc, const char *source)
{
	struct vram_crc *crc = vram_crtc_to_crc(crtc);
	bool was_on;
	size_t values;
	int ret;

	ret = vram_crc_verify_source(crtc, source, &values);
	if (ret)
		return ret;

	/* Keep vblanks enabled: each one adds an entry. */
	if (source) {
		ret = drm_crtc_vblank_get(crtc);
		if (ret)
			return ret;
	}
	scoped_guard(spinlock_irq, &crc->lock) {
		was_on = crc->on;
		WRITE_ONCE(crc->on, source);
		crc->last = 0;
		if (source)
			vram_crc_add_frame(crc, drm_crtc_vblank_count(crtc));
	}
	vram_crc_flush(crc);
	if (was_on)
		drm_crtc_vblank_put(crtc);
	return 0;
}

/**
 * vram_crc_init - initialise the CRCs of a display
 * @crc: the display's CRCs
 * @width: longest line in pixels
 *
 * Released with the DRM device.
 *
 * Return: 0 or -ENOMEM.
 */
int vram_crc_init(struct vram_crc *crc, u32 width)
{
	struct drm_device *drm = &vram_crc_to_display(crc)->vram->drm;

	spin_lock_init(&crc->lock);
	INIT_WORK(&crc->work, vram_crc_work);
	/* Unbound, because a job takes a CPU for most of a frame. */
	crc->wq = drmm_alloc_ordered_workqueue(drm, VRAM_DRIVER_NAME "_crc",
					       WQ_HIGHPRI);
	if (IS_ERR(crc->wq))
		return PTR_ERR(crc->wq);
	crc->raw = drmm_kmalloc_array(drm, width, sizeof(u32), GFP_KERNEL);
	crc->rgb = drmm_kmalloc_array(drm, width, sizeof(u32), GFP_KERNEL);
	return crc->raw && crc->rgb ? 0 : -ENOMEM;
}
