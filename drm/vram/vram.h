/* SPDX-License-Identifier: GPL-2.0 */
/*
 * phyr_vram: a DRM driver for the page-less memory of a PCI card
 *
 * Lock order, outermost first
 *
 *	drm_modeset_lock		the display state
 *	vram_device.reset_lock		VRAM allocation against a reset
 *	drm_device.object_name_lock	PRIME
 *	drm_gem_object.resv		a buffer: its placement, its CPU
 *					mappings, its phyr_buffer
 *	vram_display.front_lock		fronts; also taken by the end of a commit
 *	vram_client.lock		a client's handles
 *	vram_device.mgr.lock		the VRAM allocator
 *	vram_device.bos (xa_lock)	the set of buffers
 */
#ifndef _PHYR_VRAM_H
#define _PHYR_VRAM_H

#include <drm/drm_connector.h>
#include <drm/drm_crtc.h>
#include <drm/drm_device.h>
#include <drm/drm_encoder.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_modeset_lock.h>
#include <drm/drm_plane.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_device.h>
#include <drm/ttm/ttm_placement.h>
#include <drm/ttm/ttm_tt.h>
#include <linux/gpu_buddy.h>
#include <linux/iosys-map.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/phyr_exporter.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "../early_import.h"

#define VRAM_DRIVER_NAME	"phyr_vram"

/* Bytes at the start of VRAM that are black, for a display that is off. */
#define VRAM_DISPLAY_RESERVED	SZ_8K

/* QEMU aborts if a line does not start at a 32-bit word. */
#define VRAM_PITCH_ALIGN	sizeof(u32)

struct dev_pm_ops;
struct dma_resv;
struct drm_atomic_commit;
struct drm_edid;
struct drm_file;
struct drm_framebuffer;
struct drm_mode_fb_cmd2;
struct drm_printer;
struct mem_cgroup;
struct vram_user;

/**
 * struct vram_mgr - the VRAM allocator
 * @base: the TTM resource manager
 * @lock: guards @buddy, @claimed, @closed and @shown
 * @buddy: the allocated and free blocks of VRAM
 * @claimed: bytes that allocations in progress will still take from @buddy
 * @closed: allocations fail, while the card sleeps
 * @shown: VRAM that is displayed, or will be or was just now; see
 *	vram_mgr_show()
 * @fixed_start: start of the space for buffers that may only be in VRAM, in
 *	bytes; 0 for a card without a display; constant
 * @fixed_limit: bytes that all buffers that may only be in VRAM can have;
 *	constant
 * @reserved: blocks never given to buffers; constant
 */
struct vram_mgr {
	struct ttm_resource_manager base;
	struct mutex lock;	/* buddy, claimed, closed, shown */
	struct gpu_buddy buddy;
	u64 claimed;
	bool closed;
	struct list_head shown;
	u64 fixed_start;
	u64 fixed_limit;
	struct list_head reserved;
};

/* Most places that are considered for a picture by evicting what is there */
#define VRAM_MGR_WINDOWS	4

/**
 * struct vram_scanout_placement - where VRAM can be scanned out
 * @base: for TTM; refers to @places
 * @places: the places, in the order in which to try them
 */
struct vram_scanout_placement {
	struct ttm_placement base;
	struct ttm_place places[1 + VRAM_MGR_WINDOWS];
};

/**
 * struct vram_resource - the VRAM allocated to a buffer
 * @base: the TTM resource
 * @blocks: struct gpu_buddy_block, in the buffer's order; constant
 * @shown_link: in vram_mgr.shown while it is displayed
 */
struct vram_resource {
	struct ttm_resource base;
	struct list_head blocks;
	struct list_head shown_link;
};

static inline struct vram_resource *to_vram_resource(struct ttm_resource *res)
{
	return container_of(res, struct vram_resource, base);
}

/**
 * struct vram_system - system memory, as far as buffers are in TTM_PL_TT
 * @base: the TTM resource manager; its size is the limit in bytes
 * @used: bytes of all buffers
 */
struct vram_system {
	struct ttm_resource_manager base;
	atomic64_t used;
};

/**
 * struct vram_device - a card
 * @drm: the DRM device
 * @ttm: buffer placement; released with @drm
 * @mgr: VRAM allocator
 * @system: system memory
 * @mem: phyr's description of the BAR, with a reference
 * @ram: phyr's description of system memory, with a reference
 * @io: mapping of the whole BAR, write-combined. Unmapped with the PCI device:
 *	use only inside drm_dev_enter()
 * @reset_lock: held for writing during a reset of the card, for reading by
 *	ioctls and commits that create, move or pin buffers
 * @bos: all buffers by struct vram_bo.id; holds no references
 * @next_id: next id to try in @bos
 * @users_lock: guards @users and the users in it
 * @users: struct vram_user by uid, of users with charged buffers
 * @io_maps: number of VRAM mappings held by kernel clients
 * @imports: imports that have no handle yet; has its own lock
 * @pm_notifier: moves buffers for hibernation
 * @hibernating: buffers stay in system memory until hibernation ends; accessed
 *	by PM callbacks only, which the PM core serializes
 * @display: NULL for a card without a display; constant
 */
struct vram_device {
	struct drm_device drm;
	struct ttm_device ttm;
	struct vram_mgr mgr;
	struct vram_system system;
	struct phyr_mem *mem;
	struct phyr_mem *ram;
	void __iomem *io;
	struct rw_semaphore reset_lock;
	struct xarray bos;
	u32 next_id;
	struct mutex users_lock;	/* users */
	struct xarray users;
	atomic_t io_maps;
	struct early_imports imports;
	struct notifier_block pm_notifier;
	bool hibernating;
	struct vram_display *display;
};

static inline struct vram_device *to_vram(struct drm_device *drm)
{
	return container_of(drm, struct vram_device, drm);
}

static inline struct vram_device *ttm_to_vram(struct ttm_device *ttm)
{
	return container_of(ttm, struct vram_device, ttm);
}

/**
 * struct vram_client - an open file of the card
 * @refs: number of references: of the file, and of each buffer it created
 * @busy: time spent clearing and copying the buffers that the client created, in
 *	nanoseconds, whoever moved them. Reported as engine time: the cards have
 *	no engine, the CPU copies
 * @lock: guards @handles
 * @handles: number of the client's handles by struct vram_bo.id, as a value
 *	entry
 */
struct vram_client {
	struct kref refs;
	atomic64_t busy;
	struct mutex lock;	/* handles */
	struct xarray handles;
};

/**
 * struct vram_bo - a buffer
 * @tbo: the TTM buffer, which contains the GEM object
 * @phyr: state of the phyr core; guarded by the reservation lock
 * @id: key in vram_device.bos, constant
 * @placement: allowed DRM_PHYR_VRAM_PLACE_*, constant
 * @max_extent: largest extent in VRAM in bytes, or 0; constant
 * @place: current TTM_PL_*; written under the reservation lock, read
 *	without it
 * @client: the client that created it, with a reference; NULL for the kernel's
 *	own; constant
 * @user: charged for what cannot be taken back, or NULL; constant
 * @memcg: charged for the pages in system memory, with a reference; NULL if the
 *	kernel has no memory cgroups; constant
 * @dummy: page for CPU mappings of a revoked buffer, or NULL; guarded by the
 *	reservation lock; see vram_dummy_page()
 * @vmaps: number of vmaps of its dma-bufs in system memory; guarded by the
 *	reservation lock
 * @scanouts: number of vram_front_pin(); guarded by the reservation lock
 * @scan_start: start of the part that is scanned out, in bytes; this and
 *	@scan_end are guarded by front_lock
 * @scan_end: end of that part
 * @front: VRAM from which it is scanned out while it is in system memory, or
 *	NULL; see front.c
 * @front_node: in vram_display.fronts if there is a @front
 * @leaves_front: a move keeps the VRAM as @front; guarded by the reservation
 *	lock
 * @lifted_pins: pins that a move puts back at its end; 0 when there is none.
 *	Guarded by the reservation lock
 * @evicted: was moved to system memory because the card sleeps, and will be
 *	moved back; guarded by the reservation lock
 */
struct vram_bo {
	struct ttm_buffer_object tbo;
	struct phyr_buffer phyr;
	u32 id;
	u32 placement;
	u64 max_extent;
	u32 place;
	struct vram_client *client;
	struct vram_user *user;
	struct mem_cgroup *memcg;
	struct page *dummy;
	unsigned int vmaps;
	unsigned int scanouts;
	u64 scan_start;
	u64 scan_end;
	struct ttm_resource *front;
	struct list_head front_node;
	bool leaves_front;
	unsigned int lifted_pins;
	bool evicted;
};

/**
 * struct vram_tt - a buffer's pages in system memory
 * @base: the TTM pages
 * @bo: the buffer; outlives this
 */
struct vram_tt {
	struct ttm_tt base;
	struct vram_bo *bo;
};

static inline struct vram_tt *to_vram_tt(struct ttm_tt *tt)
{
	return container_of(tt, struct vram_tt, base);
}

static inline struct vram_bo *to_vram_bo(struct drm_gem_object *gem)
{
	return container_of(gem, struct vram_bo, tbo.base);
}

static inline struct vram_bo *ttm_to_vram_bo(struct ttm_buffer_object *tbo)
{
	return container_of(tbo, struct vram_bo, tbo);
}

/**
 * struct vram_scanout - a picture in VRAM, as the display reads it
 * @format: pixel format; NULL for a black picture, which is not in VRAM
 * @offset: offset of the first pixel in VRAM, in bytes
 * @pitch: bytes per line, a multiple of the pixel size
 * @width: in pixels
 * @height: in lines
 */
struct vram_scanout {
	const struct drm_format_info *format;
	u64 offset;
	u32 pitch;
	u32 width;
	u32 height;
};

/**
 * struct vram_plane_state - state of the primary plane
 * @base: the DRM plane state
 * @shown: the buffer that is scanned out, pinned from prepare_fb() to
 *	cleanup_fb(); NULL otherwise, and if the plane is not visible
 * @scanout: the picture in @shown
 * @shadow: @shown is a shadow, and this state owns a reference to it
 * @stale: the last copy failed, or is not to be made: the shadow is not up to
 *	date
 * @map: mappings of the framebuffer's buffers, while there is a shadow to fill
 * @data: the framebuffer's pixels in @map
 */
struct vram_plane_state {
	struct drm_plane_state base;
	struct vram_bo *shown;
	struct vram_scanout scanout;
	bool shadow;
	bool stale;
	struct iosys_map map[DRM_FORMAT_MAX_PLANES];
	struct iosys_map data[DRM_FORMAT_MAX_PLANES];
};

static inline struct vram_plane_state *to_vram_plane_state(struct drm_plane_state *base)
{
	return container_of(base, struct vram_plane_state, base);
}

/**
 * struct vram_crc_job - consecutive frames with the same picture and CRC
 * @scanout: the picture
 * @shown: value of vram_crc.shown for the picture
 * @first: number of the first frame
 * @last: number of the last frame
 */
struct vram_crc_job {
	struct vram_scanout scanout;
	u64 shown;
	u64 first;
	u64 last;
};

/**
 * struct vram_crc - CRCs of the frames
 * @lock: guards the members down to @count. Held while the display's registers
 *	change, so that no frame starts meanwhile
 * @on: CRCs are enabled
 * @now: the picture that is shown
 * @shown: number of pictures shown so far
 * @last: number of the last frame that has an entry or a job
 * @jobs: jobs that the worker has not started, oldest first
 * @count: number of @jobs
 * @wq: the worker's queue
 * @work: the worker
 * @raw: one line as read from VRAM; used by the worker only
 * @rgb: one line of 32-bit colours; used by the worker only
 */
struct vram_crc {
	spinlock_t lock;	/* on to count, and the registers */
	bool on;
	struct vram_scanout now;
	u64 shown;
	u64 last;
	struct vram_crc_job jobs[2];
	unsigned int count;
	struct workqueue_struct *wq;
	struct work_struct work;
	void *raw;
	u32 *rgb;
};

/**
 * struct vram_display - a display and its KMS objects
 * @vram: the card
 * @regs: mapping of the registers. Unmapped with the PCI device: use only
 *	inside drm_dev_enter(), or while the device is probed or removed
 * @set: the picture that the registers select; serialized by commits
 * @line: bounce buffer of one line; serialized by commits
 * @plane: the only plane
 * @crtc: the only CRTC
 * @encoder: the only encoder
 * @connector: the only connector
 * @crc: CRCs of the frames, for tests
 * @shadows: number of plane states with a shadow
 * @spares: shadows that no plane state uses, with a reference, while there are
 *	@shadows; or NULL. Accessed by xchg()
 * @front_lock: guards @fronts and the fronts
 * @fronts: buffers with a front, by vram_bo.front_node
 * @front_work: copies periodically while there are @fronts
 * @hurry: commits do not wait for fences; see commit.c
 * @hurry_wait: woken by fences that commits wait for, and by @hurry
 * @hurry_work: sets @hurry during a reset of the card
 * @blocked: all modeset locks, held during a reset of the card
 * @blocked_state: what to display after the reset, or NULL; guarded by @blocked
 */
struct vram_display {
	struct vram_device *vram;
	void __iomem *regs;
	struct vram_scanout set;
	void *line;
	struct drm_plane plane;
	struct drm_crtc crtc;
	struct drm_encoder encoder;
	struct drm_connector connector;
	struct vram_crc crc;
	atomic_t shadows;
	struct vram_bo *spares[2];
	struct mutex front_lock;	/* fronts */
	struct list_head fronts;
	struct delayed_work front_work;
	bool hurry;
	wait_queue_head_t hurry_wait;
	struct delayed_work hurry_work;
	struct drm_modeset_acquire_ctx blocked;
	struct drm_atomic_commit *blocked_state;
};

/* mgr.c */
int vram_mgr_init(struct vram_device *vram, u64 size, u64 reserved);
unsigned int vram_resource_extents(struct vram_mgr *mgr,
				   struct ttm_resource *res);
u64 vram_resource_offset(struct ttm_resource *res);
u64 vram_mgr_avail(struct vram_mgr *mgr);
void vram_mgr_close(struct vram_mgr *mgr);
void vram_mgr_open(struct vram_mgr *mgr);
u64 vram_mgr_max_picture(struct vram_mgr *mgr);
bool vram_mgr_fits_scanout(struct vram_mgr *mgr, u64 size, u64 end);
void vram_mgr_reserve_scanout(struct vram_mgr *mgr);
unsigned int vram_mgr_find_windows(struct vram_mgr *mgr, u64 size, u64 end,
				   const struct ttm_resource *now,
				   u64 starts[VRAM_MGR_WINDOWS]);
void vram_mgr_show(struct vram_mgr *mgr, struct ttm_resource *res);
void vram_mgr_hide(struct vram_mgr *mgr, struct ttm_resource *res);

/* system.c */
void vram_system_init(struct vram_device *vram);
void vram_system_fini(struct vram_device *vram);

/* poison.c */
void vram_poison_fill(struct vram_device *vram, u64 offset, u64 len);
void vram_poison_check(struct vram_device *vram, u64 offset, u64 len);

/* ttm.c */
int vram_ttm_init(struct vram_device *vram);

/* pages.c */
int vram_pages_alloc(struct ttm_device *ttm, struct ttm_tt *tt,
		     struct ttm_operation_ctx *ctx);
void vram_pages_free(struct ttm_device *ttm, struct ttm_tt *tt);

/* bo.c */
struct vram_bo *vram_bo_next(struct vram_device *vram, unsigned long *id);
void vram_bo_put(struct vram_bo *bo);
unsigned int vram_bo_extents(struct vram_bo *bo);
bool vram_bo_is_fixed(const struct vram_bo *bo);
struct ttm_place vram_bo_place(const struct vram_bo *bo, u32 mem_type);
int vram_bo_move_to(struct vram_bo *bo, u32 mem_type, bool interruptible);
int vram_bo_pin_system(struct vram_bo *bo, bool interruptible);
int vram_bo_scanout_placement(struct vram_bo *bo, u64 end,
			      struct vram_scanout_placement *scanout);
bool vram_bo_fits_scanout(const struct vram_bo *bo, u64 end);
int vram_bo_pin_scanout(struct vram_bo *bo, u64 end);
void vram_bo_unpin_locked(struct vram_bo *bo);
void vram_bo_unpin(struct vram_bo *bo);
int vram_bos_begin_move(struct vram_device *vram);
void vram_bos_end_move(struct vram_device *vram);
void vram_bos_wait_moves(struct vram_device *vram);
void vram_bos_revoke(struct vram_device *vram);
void vram_bos_rearm(struct vram_device *vram);

/* user.c */
int vram_users_init(struct vram_device *vram);
int vram_user_charge(struct vram_device *vram, struct vram_bo *bo);
void vram_user_uncharge(struct vram_device *vram, struct vram_bo *bo);

/* vmap.c */
struct page *vram_dummy_page(struct vram_bo *bo);
int vram_vmap_dummy(struct vram_bo *bo, struct iosys_map *map);
bool vram_vunmap_dummy(struct vram_bo *bo, struct iosys_map *map);
int vram_vmap(struct drm_gem_object *gem, struct iosys_map *map);
void vram_vunmap(struct drm_gem_object *gem, struct iosys_map *map);

/* prime.c */
const struct phyr_dma_buf_ops *vram_dma_buf_ops(const struct vram_bo *bo);
struct dma_buf *vram_prime_export(struct drm_gem_object *gem, int flags);
int vram_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file,
			    int fd, u32 *handle);
struct drm_gem_object *vram_prime_import(struct drm_device *drm,
					 struct dma_buf *dmabuf);

/* client.c */
int vram_client_open(struct drm_device *drm, struct drm_file *file);
void vram_client_close(struct drm_device *drm, struct drm_file *file);
struct vram_client *vram_client_get(struct vram_client *client);
void vram_client_put(struct vram_client *client);
int vram_client_open_handle(struct drm_gem_object *gem, struct drm_file *file);
void vram_client_close_handle(struct drm_gem_object *gem,
			      struct drm_file *file);
void vram_client_show_fdinfo(struct drm_printer *p, struct drm_file *file);

/* gem.c */
bool vram_gem_is_bo(const struct drm_gem_object *gem);
struct vram_bo *vram_gem_create(struct vram_device *vram,
				struct vram_client *client, u64 size,
				u32 placement, u64 max_extent);

/* display.c */
int vram_display_init(struct vram_device *vram, int bar);
void vram_display_register(struct vram_device *vram);
void vram_display_hurry(struct vram_device *vram);
void vram_display_remove(struct vram_device *vram);
void vram_display_shutdown(struct vram_device *vram);
int vram_display_suspend(struct vram_device *vram, unsigned long timeout);
int vram_display_resume(struct vram_device *vram);
int vram_display_block(struct vram_device *vram);
int vram_display_unblock(struct vram_device *vram);

/* commit.c */
void vram_commits_init(struct vram_display *display);
void vram_commits_hurry(struct vram_display *display);
void vram_commits_hurry_later(struct vram_display *display,
			      unsigned long patience);
int vram_commits_start(void);
void vram_commits_end(void);
void vram_commits_relax(struct vram_display *display);
int vram_commit_wait_buffer(struct vram_display *display,
			    struct dma_resv *resv, bool interruptible);
int vram_commit(struct drm_device *drm, struct drm_atomic_commit *commit,
		bool nonblock);

/* plane.c */
int vram_plane_init(struct vram_display *display);
struct drm_framebuffer *vram_fb_create(struct drm_device *drm,
				       struct drm_file *file,
				       const struct drm_format_info *format,
				       const struct drm_mode_fb_cmd2 *cmd);

/* scanout.c */
void vram_scanout_show(struct vram_display *display,
		       const struct vram_scanout *scanout);
void vram_scanout_show_black(struct vram_display *display);
int vram_scanout_pin(struct vram_display *display,
		     struct vram_plane_state *state,
		     struct vram_plane_state *old);
void vram_scanout_unpin(struct vram_plane_state *state);
int vram_scanout_prepare_copy(struct vram_display *display,
			      struct vram_plane_state *state,
			      struct vram_plane_state *old);
bool vram_scanout_begin_copy(struct vram_display *display,
			     struct vram_plane_state *state);
void vram_scanout_end_copy(struct vram_plane_state *state);
void vram_scanout_copy(struct vram_display *display,
		       struct vram_plane_state *state,
		       struct vram_plane_state *old);

/* front.c */
void vram_front_take(struct vram_bo *bo);
int vram_front_pin_system(struct vram_bo *bo, bool interruptible);
void vram_front_unpin_system(struct vram_bo *bo);
int vram_front_pin(struct vram_bo *bo, u64 end, struct vram_scanout *scanout);
bool vram_front_unpin(struct vram_bo *bo);
void vram_front_update(struct vram_display *display, struct vram_bo *bo);
int vram_fronts_init(struct vram_display *display);
void vram_fronts_stop(struct vram_display *display);

/* dispi.c */
int vram_dispi_init(struct vram_display *display, int bar);
void vram_dispi_start(struct vram_display *display);
void vram_dispi_clear(struct vram_display *display);
u64 vram_dispi_end(struct vram_display *display, u32 pitch);
u32 vram_dispi_min_pitch(u64 end);
void vram_dispi_show(struct vram_display *display,
		     const struct vram_scanout *scanout);
void vram_dispi_show_black(struct vram_display *display);
const struct drm_edid *vram_dispi_read_edid(struct vram_display *display,
					    struct drm_connector *connector);

/* crc.c */
int vram_crc_init(struct vram_crc *crc, u32 width);
void vram_crc_frame(struct vram_crc *crc, u64 frame);
void vram_crc_flush(struct vram_crc *crc);
const char *const *vram_crc_sources(struct drm_crtc *crtc, size_t *count);
int vram_crc_verify_source(struct drm_crtc *crtc, const char *source,
			   size_t *values);
int vram_crc_set_source(struct drm_crtc *crtc, const char *source);

/* pm.c */
extern const struct dev_pm_ops vram_pm_ops;
int vram_pm_init(struct vram_device *vram);

/* debugfs.c */
void vram_debugfs_init(struct drm_minor *minor);

#endif
