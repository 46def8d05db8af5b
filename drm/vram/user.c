// SPDX-License-Identifier: GPL-2.0
/*
 * Users: limits of what cannot be taken back from them
 *
 * A buffer that may only be in VRAM is never evicted, and one that is fragmented
 * on purpose has a block per extent in the allocator, which no memory cgroup is
 * charged for. Files are no limit, because a user can open many. So each user
 * has a share, whether or not the kernel has CONFIG_CGROUP_DMEM, with which the
 * administrator can limit VRAM further. CAP_SYS_RESOURCE lifts the share. All
 * users together cannot take space from the display, because of the buffers'
 * placement (mgr.c), but two of them can take all that fixed buffers get.
 */
#include <drm/drm_managed.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "vram.h"

/* Extents of a user's buffers with a max_extent */
#define VRAM_USER_MAX_PIECES	65536

/**
 * struct vram_user - what a user's buffers take
 * @uid: the user; key in vram_device.users
 * @fixed: bytes of buffers that may only be in VRAM
 * @pieces: extents of buffers with a largest extent
 */
struct vram_user {
	uid_t uid;
	u64 fixed;
	u64 pieces;
};

static u64 vram_user_fixed(const struct vram_bo *bo)
{
	return vram_bo_is_fixed(bo) ? bo->tbo.base.size : 0;
}

static u64 vram_user_pieces(const struct vram_bo *bo)
{
	return bo->max_extent ? DIV64_U64_ROUND_UP(bo->tbo.base.size,
						   bo->max_extent) : 0;
}

static struct vram_user *vram_user_find(struct vram_device *vram, uid_t uid)
{
	struct vram_user *user;
	int ret;

	lockdep_assert_held(&vram->users_lock);

	user = xa_load(&vram->users, uid);
	if (user)
		return user;

	user = kzalloc_obj(*user, GFP_KERNEL_ACCOUNT);
	if (!user)
		return ERR_PTR(-ENOMEM);
	user->uid = uid;
	ret = xa_err(xa_store(&vram->users, uid, user, GFP_KERNEL_ACCOUNT));
	if (ret) {
		kfree(user);
		return ERR_PTR(ret);
	}
	return user;
}

static void vram_user_drop_unused(struct vram_device *vram,
				  struct vram_user *user)
{
	if (user->fixed || user->pieces)
		return;
	xa_erase(&vram->users, user->uid);
	kfree(user);
}

/**
 * vram_user_charge - charge the current user for a new buffer
 * @vram: the card
 * @bo: the buffer, with size, placement and largest extent set
 *
 * Undone by vram_user_uncharge().
 *
 * Context: may sleep.
 * Return: 0; -ENOSPC if the user, without CAP_SYS_RESOURCE, would exceed its
 * share; -ENOMEM.
 */
int vram_user_charge(struct vram_device *vram, struct vram_bo *bo)
{
	u64 fixed = vram_user_fixed(bo), pieces = vram_user_pieces(bo);
	u64 share = vram->mgr.fixed_limit / 2;
	struct vram_user *user;

	if (!fixed && !pieces)
		return 0;

	guard(mutex)(&vram->users_lock);
	user = vram_user_find(vram, from_kuid(&init_user_ns, current_uid()));
	if (IS_ERR(user))
		return PTR_ERR(user);
	if ((user->fixed + fixed > share ||
	     user->pieces + pieces > VRAM_USER_MAX_PIECES) &&
	    !capable(CAP_SYS_RESOURCE)) {
		vram_user_drop_unused(vram, user);
		return -ENOSPC;
	}
	user->fixed += fixed;
	user->pieces += pieces;
	bo->user = user;
	return 0;
}

/**
 * vram_user_uncharge - undo vram_user_charge()
 * @vram: the card
 * @bo: the buffer; ignored if it is not charged
 *
 * Context: may sleep.
 */
void vram_user_uncharge(struct vram_device *vram, struct vram_bo *bo)
{
	struct vram_user *user = bo->user;

	if (!user)
		return;

	guard(mutex)(&vram->users_lock);
	user->fixed -= vram_user_fixed(bo);
	user->pieces -= vram_user_pieces(bo);
	vram_user_drop_unused(vram, user);
}

static void vram_users_fini(struct drm_device *drm, void *arg)
{
	WARN_ON(!xa_empty(&to_vram(drm)->users));
	xa_destroy(&to_vram(drm)->users);
}

/**
 * vram_users_init - initialise the users of a card
 * @vram: the card
 *
 * Released with the DRM device, after the buffers if called before vram_ttm_init().
 *
 * Return: 0 or -ENOMEM.
 */
int vram_users_init(struct vram_device *vram)
{
	int ret;

	xa_init(&vram->users);
	ret = drmm_mutex_init(&vram->drm, &vram->users_lock);
	if (ret)
		return ret;
	return drmm_add_action_or_reset(&vram->drm, vram_users_fini, NULL);
}
