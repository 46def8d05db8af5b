// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of bochs-display, in BAR 2
 *
 *	0x000	EDID
 *	0x500	"dispi": 16-bit registers, mode and scan-out offset
 *	0x600	size of the extension, 0x604 byte order of 32-bit pixels
 *
 * The scan-out offset is X * bytes per pixel + Y * pitch; the pitch is the
 * virtual width. The display reads VRAM even if it is disabled, unless the mode
 * is invalid. To hide a picture, scan out black pixels.
 */
#include <drm/drm_edid.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_print.h>
#include <linux/io.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "vram.h"

#define DISPI_EDID_SIZE		0x400
#define DISPI_REGS		0x500
#define DISPI_EXT_SIZE		0x600
#define DISPI_BYTE_ORDER	0x604
#define DISPI_LITTLE_ENDIAN	0x1e1e1e1e
#define DISPI_BIG_ENDIAN	0xbebebebe

enum {
	DISPI_ID,
	DISPI_XRES,
	DISPI_YRES,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRT_WIDTH,
	DISPI_VIRT_HEIGHT,
	DISPI_X_OFFSET,
	DISPI_Y_OFFSET,
	DISPI_VRAM_64K,
};

#define DISPI_ID_MASK		0xfff0
#define DISPI_ID_BOCHS		0xb0c0
#define DISPI_ENABLED		0x41	/* with a linear framebuffer */

/* The smallest mode, at two bytes per pixel */
#define DISPI_BLACK_WIDTH	64
#define DISPI_BLACK_HEIGHT	64
static_assert(DISPI_BLACK_WIDTH * DISPI_BLACK_HEIGHT * 2 ==
	      VRAM_DISPLAY_RESERVED);

static u16 vram_dispi_read(struct vram_display *display, unsigned int reg)
{
	return readw(display->regs + DISPI_REGS + 2 * reg);
}

static void vram_dispi_write(struct vram_display *display, unsigned int reg,
			     u16 val)
{
	writew(val, display->regs + DISPI_REGS + 2 * reg);
}

/* Height 0 makes the mode invalid: no intermediate state is displayed. */
static void vram_dispi_set_mode(struct vram_display *display,
				const struct vram_scanout *scanout,
				u16 virt_width)
{
	unsigned int cpp = scanout->format->cpp[0];

	vram_dispi_write(display, DISPI_YRES, 0);
	vram_dispi_write(display, DISPI_BPP, cpp * 8);
	vram_dispi_write(display, DISPI_XRES, scanout->width);
	vram_dispi_write(display, DISPI_VIRT_WIDTH, virt_width);
	vram_dispi_write(display, DISPI_ENABLE, DISPI_ENABLED);
	writel(scanout->format->format == DRM_FORMAT_BGRX8888 ?
	       DISPI_BIG_ENDIAN : DISPI_LITTLE_ENDIAN,
	       display->regs + DISPI_BYTE_ORDER);
}

/**
 * vram_dispi_end - end of the VRAM that can be scanned out
 * @display: the display
 * @pitch: bytes per line
 *
 * The limits are the range of the offset registers, and the display's check
 * that the last line lies within VRAM up to its full pitch.
 *
 * Return: bytes from the start of VRAM; a buffer must end there or before.
 */
u64 vram_dispi_end(struct vram_display *display, u32 pitch)
{
	return min((u64)pitch * U16_MAX,
		   phyr_mem_len(display->vram->mem) - pitch);
}

/**
 * vram_dispi_min_pitch - find a pitch with which the display reaches far enough
 * @end: bytes from the start of VRAM; at most three quarters of it
 *
 * Return: the smallest pitch for which vram_dispi_end() is at least @end.
 */
u32 vram_dispi_min_pitch(u64 end)
{
	return ALIGN(DIV_ROUND_UP_ULL(end, U16_MAX), VRAM_PITCH_ALIGN);
}

/**
 * vram_dispi_show - scan out a picture
 * @display: the display
 * @scanout: the picture; the atomic checks have accepted its size and pitch
 *
 * Context: any. The registers must be mapped, and the caller must serialize
 * accesses, except during a panic.
 */
void vram_dispi_show(struct vram_display *display,
		     const struct vram_scanout *scanout)
{
	unsigned int cpp = scanout->format->cpp[0];
	const struct vram_scanout *now = &display->set;
	bool mode = !now->format ||
		    now->format->format != scanout->format->format ||
		    now->pitch != scanout->pitch ||
		    now->width != scanout->width ||
		    now->height != scanout->height;

	if (mode)
		vram_dispi_set_mode(display, scanout, scanout->pitch / cpp);
	vram_dispi_write(display, DISPI_X_OFFSET,
			 scanout->offset % scanout->pitch / cpp);
	vram_dispi_write(display, DISPI_Y_OFFSET,
			 scanout->offset / scanout->pitch);
	if (mode)
		vram_dispi_write(display, DISPI_YRES, scanout->height);
	display->set = *scanout;
}

/**
 * vram_dispi_show_black - scan out the reserved, black part of VRAM
 * @display: the display
 *
 * Context: as vram_dispi_show().
 */
void vram_dispi_show_black(struct vram_display *display)
{
	const struct vram_scanout black = {
		.format = drm_format_info(DRM_FORMAT_RGB565),
		.pitch = DISPI_BLACK_WIDTH * 2,
		.width = DISPI_BLACK_WIDTH,
		.height = DISPI_BLACK_HEIGHT,
	};

	vram_dispi_show(display, &black);
}

/**
 * vram_dispi_clear - set all registers to zero
 * @display: the display; it may lose power afterwards
 *
 * Context: as vram_dispi_show().
 */
void vram_dispi_clear(struct vram_display *display)
{
	unsigned int reg;

	for (reg = DISPI_XRES; reg <= DISPI_Y_OFFSET; reg++)
		vram_dispi_write(display, reg, 0);
	display->set = (struct vram_scanout){};
}

/**
 * vram_dispi_start - clear the reserved part of VRAM and scan it out
 * @display: the display, in any state
 *
 * Context: as vram_dispi_show().
 */
void vram_dispi_start(struct vram_display *display)
{
	memset_io(display->vram->io, 0, VRAM_DISPLAY_RESERVED);
	vram_dispi_clear(display);
	vram_dispi_show_black(display);
}

static int vram_dispi_read_edid_block(void *data, u8 *buf, unsigned int block,
				      size_t len)
{
	struct vram_display *display = data;
	size_t start = (size_t)block * EDID_LENGTH;

	if (start + len > DISPI_EDID_SIZE)
		return -EINVAL;
	memcpy_fromio(buf, display->regs + start, len);
	return 0;
}

/**
 * vram_dispi_read_edid - read the EDID
 * @display: the display
 * @connector: the connector
 *
 * Context: may sleep; inside drm_dev_enter().
 * Return: the EDID, to be freed with drm_edid_free(), or NULL if there is none.
 */
const struct drm_edid *vram_dispi_read_edid(struct vram_display *display,
					    struct drm_connector *connector)
{
	u8 header[8];

	/* Check first: reading a missing EDID logs an error. */
	memcpy_fromio(header, display->regs, sizeof(header));
	if (drm_edid_header_is_valid(header) != sizeof(header))
		return NULL;
	return drm_edid_read_custom(connector, vram_dispi_read_edid_block,
				    display);
}

/**
 * vram_dispi_init - map the registers and identify the display
 * @display: the display
 * @bar: number of the BAR with the registers
 *
 * Return: 0; -ENODEV for unknown registers, or if the display cannot read all
 * of VRAM; as pcim_iomap_region().
 */
int vram_dispi_init(struct vram_display *display, int bar)
{
	struct drm_device *drm = &display->vram->drm;
	struct pci_dev *pdev = to_pci_dev(drm->dev);
	u64 vram;

	display->regs = pcim_iomap_region(pdev, bar, VRAM_DRIVER_NAME);
	if (IS_ERR(display->regs))
		return PTR_ERR(display->regs);

	if ((vram_dispi_read(display, DISPI_ID) & DISPI_ID_MASK) !=
	    DISPI_ID_BOCHS ||
	    readl(display->regs + DISPI_EXT_SIZE) < 8) {
		drm_err(drm, "BAR %d does not have the registers of bochs-display\n",
			bar);
		return -ENODEV;
	}

	vram = (u64)vram_dispi_read(display, DISPI_VRAM_64K) * SZ_64K;
	if (vram < phyr_mem_len(display->vram->mem)) {
		drm_err(drm, "the display can read only %#llx of %#llx bytes of VRAM\n",
			vram, (u64)phyr_mem_len(display->vram->mem));
		return -ENODEV;
	}
	return 0;
}
