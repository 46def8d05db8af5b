// SPDX-License-Identifier: GPL-2.0
/*
 * CRCs of what is shown, for tests (debugfs, crtc-N/crc)
 *
 * The hardware has none: a worker reads VRAM as the display does, and hashes the
 * colours that come out, whatever the format. So the same picture has the same
 * value in each format that can hold it, and bits that are not shown do not
 * count. What DRM calls a CRC is a 64-bit xxhash here, as two values: it takes a
 * fraction of the time, and there is a frame's time for it.
 *
 * The frame that is shown when somebody starts, and each one after a vblank,
 * gets an entry. A worker that is late makes one for all frames that showed the
 * same picture meanwhile. Commits wait for it twice: before they show something
 * else, so that no frame gets the value of its successor, and before they let go
 * of what was shown.
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

/* Five and six bits become eight as the display makes them. */
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

/* Two pixels at once: what everybody uses, and there is a frame's time for it. */
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

/* With nothing shown, or without the card, a picture is black. */
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
 * Does what there is to do now, and no more: for frames that begin meanwhile the
 * work is queued again. Who flushes it would wait for ever otherwise, where a
 * frame takes longer to read than to show.
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

	/* One that began just when somebody started is there already. */
	if (!crc->on || frame <= crc->last)
		return;
	crc->last = frame;

	job = crc->count ? &crc->jobs[crc->count - 1] : NULL;
	if (!job || job->shown != crc->shown) {
		/* Commits wait for the worker: two pictures are the most. */
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
 * vram_crc_frame - a frame begins
 * @crc: the display's CRCs
 * @frame: its number
 *
 * Context: interrupt.
 */
void vram_crc_frame(struct vram_crc *crc, u64 frame)
{
	/* A commit may hold the lock while it writes registers, which takes time. */
	if (!READ_ONCE(crc->on))
		return;
	guard(spinlock_irqsave)(&crc->lock);
	vram_crc_add_frame(crc, frame);
}

/**
 * vram_crc_flush - wait until no CRC of a past frame is missing
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
 * vram_crc_sources - which sources there are
 * @crtc: the CRTC
 * @count: out: number of them
 *
 * Return: their names.
 */
const char *const *vram_crc_sources(struct drm_crtc *crtc, size_t *count)
{
	*count = ARRAY_SIZE(vram_crc_source_names);
	return vram_crc_source_names;
}

/**
 * vram_crc_verify_source - is there such a source?
 * @crtc: the CRTC
 * @source: its name; NULL is none
 * @values: out: values in an entry
 *
 * Return: 0 or -EINVAL.
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
 * vram_crc_set_source - start or stop making CRCs
 * @crtc: the CRTC
 * @source: name of a source to start, NULL to stop
 *
 * Context: may sleep.
 * Return: 0; -EINVAL for no such source, or a CRTC that is off.
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

	/* An entry per vblank: there must be vblanks. */
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
 * vram_crc_init - prepare to make CRCs
 * @crc: the display's CRCs
 * @width: pixels in the longest line that can be shown
 *
 * Return: 0 or -ENOMEM.
 */
int vram_crc_init(struct vram_crc *crc, u32 width)
{
	struct drm_device *drm = &vram_crc_to_display(crc)->vram->drm;

	spin_lock_init(&crc->lock);
	INIT_WORK(&crc->work, vram_crc_work);
	/* Unbound: it keeps a processor busy for most of a frame. */
	crc->wq = drmm_alloc_ordered_workqueue(drm, VRAM_DRIVER_NAME "_crc",
					       WQ_HIGHPRI);
	if (IS_ERR(crc->wq))
		return PTR_ERR(crc->wq);
	crc->raw = drmm_kmalloc_array(drm, width, sizeof(u32), GFP_KERNEL);
	crc->rgb = drmm_kmalloc_array(drm, width, sizeof(u32), GFP_KERNEL);
	return crc->raw && crc->rgb ? 0 : -ENOMEM;
}
