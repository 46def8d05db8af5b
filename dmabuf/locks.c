// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_locks: reservation locks that are held together
 *
 * Whoever maps a composed buffer needs the locks of all its parts, and a job
 * those of all its buffers. They are taken in any order, in one ww_acquire_ctx:
 * where two tasks would wait for each other, one of them drops what it holds,
 * waits for the lock that it did not get, and starts again from there.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/export.h>
#include <linux/slab.h>

#include "internal.h"

#define PHYR_LOCKS_NONE	UINT_MAX

/**
 * phyr_locks_init - start to collect locks
 * @locks: on the caller's stack; phyr_locks_drop() ends its use
 *
 * Context: any.
 */
void phyr_locks_init(struct phyr_locks *locks)
{
	locks->resvs = locks->few;
	locks->nr = 0;
	locks->max = ARRAY_SIZE(locks->few);
	locks->taken = false;
}
EXPORT_SYMBOL_NS_GPL(phyr_locks_init, "PHYR");

static int phyr_locks_grow(struct phyr_locks *locks)
{
	unsigned int max = 2 * locks->max;
	struct dma_resv **resvs;

	resvs = kvmalloc_objs(*resvs, max, GFP_KERNEL_ACCOUNT);
	if (!resvs)
		return -ENOMEM;

	memcpy(resvs, locks->resvs, locks->nr * sizeof(*resvs));
	if (locks->resvs != locks->few)
		kvfree(locks->resvs);
	locks->resvs = resvs;
	locks->max = max;
	return 0;
}

/**
 * phyr_locks_add - add the lock of a buffer that is not an attachment's
 * @locks: locks that are not taken
 * @resv: the buffer's reservation object; may be added more than once
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int phyr_locks_add(struct phyr_locks *locks, struct dma_resv *resv)
{
	int ret = 0;

	if (locks->nr == locks->max)
		ret = phyr_locks_grow(locks);
	if (!ret)
		locks->resvs[locks->nr++] = resv;
	return ret;
}
EXPORT_SYMBOL_NS_GPL(phyr_locks_add, "PHYR");

/**
 * phyr_locks_add_attachment - add the locks that guard an attachment
 * @locks: locks that are not taken
 * @attach: the attachment; stays attached while @locks are used
 *
 * Those of phyr_attachment_resv().
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int phyr_locks_add_attachment(struct phyr_locks *locks,
			      const struct phyr_attachment *attach)
{
	struct dma_resv *resv;
	unsigned int i;
	int ret;

	for (i = 0; (resv = phyr_attachment_resv(attach, i)); i++) {
		ret = phyr_locks_add(locks, resv);
		if (ret)
			return ret;
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(phyr_locks_add_attachment, "PHYR");

static void phyr_locks_unlock(struct phyr_locks *locks, unsigned int nr)
{
	while (nr--)
		dma_resv_unlock(locks->resvs[nr]);
}

static int phyr_lock_one(struct phyr_locks *locks, unsigned int i,
			 bool interruptible)
{
	if (interruptible)
		return dma_resv_lock_interruptible(locks->resvs[i],
						   &locks->ctx);
	return dma_resv_lock(locks->resvs[i], &locks->ctx);
}

static int phyr_lock_slow(struct phyr_locks *locks, unsigned int i,
			  bool interruptible)
{
	if (interruptible)
		return dma_resv_lock_slow_interruptible(locks->resvs[i],
							&locks->ctx);
	dma_resv_lock_slow(locks->resvs[i], &locks->ctx);
	return 0;
}

/*
 * Try all. @held, unless PHYR_LOCKS_NONE, is locked already. On error nothing is
 * locked, and with -EDEADLK @held is the lock to wait for.
 */
static int phyr_locks_try(struct phyr_locks *locks, unsigned int *held,
			  bool interruptible)
{
	unsigned int i;
	int ret;

	for (i = 0; i < locks->nr; i++) {
		if (i == *held)
			continue;
		ret = phyr_lock_one(locks, i, interruptible);
		if (!ret)
			continue;
		if (ret == -EALREADY) {
			/* The caller's own array, which may have it twice. */
			locks->resvs[i] = locks->resvs[--locks->nr];
			if (*held == locks->nr)
				*held = i;
			i--;
			continue;
		}
		phyr_locks_unlock(locks, i);
		if (*held != PHYR_LOCKS_NONE && *held > i)
			dma_resv_unlock(locks->resvs[*held]);
		*held = i;
		return ret;
	}
	return 0;
}

static int phyr_locks_take_all(struct phyr_locks *locks, bool interruptible)
{
	unsigned int held = PHYR_LOCKS_NONE;
	int ret;

	/*
	 * Not acquire_done(): a map may make TTM evict another buffer, whose
	 * lock it takes by this context.
	 */
	ww_acquire_init(&locks->ctx, &reservation_ww_class);
	ret = phyr_locks_try(locks, &held, interruptible);
	while (ret == -EDEADLK) {
		ret = phyr_lock_slow(locks, held, interruptible);
		if (!ret)
			ret = phyr_locks_try(locks, &held, interruptible);
	}
	locks->taken = !ret;
	if (ret)
		ww_acquire_fini(&locks->ctx);
	return ret;
}

/**
 * phyr_locks_take - take the locks
 * @locks: the locks, at least one
 *
 * Context: no reservation lock is held; sleeps, interruptibly.
 * Return: 0, or -EINTR, after which phyr_locks_drop() is still due.
 */
int phyr_locks_take(struct phyr_locks *locks)
{
	return phyr_locks_take_all(locks, true);
}
EXPORT_SYMBOL_NS_GPL(phyr_locks_take, "PHYR");

static void phyr_locks_release(struct phyr_locks *locks)
{
	if (!locks->taken)
		return;
	phyr_locks_unlock(locks, locks->nr);
	ww_acquire_fini(&locks->ctx);
	locks->taken = false;
}

/**
 * phyr_locks_drop - drop the locks, if they are taken, and forget them
 * @locks: the locks
 *
 * Context: any that phyr_locks_take() has left.
 */
void phyr_locks_drop(struct phyr_locks *locks)
{
	phyr_locks_release(locks);
	if (locks->resvs != locks->few)
		kvfree(locks->resvs);
	phyr_locks_init(locks);
}
EXPORT_SYMBOL_NS_GPL(phyr_locks_drop, "PHYR");

/**
 * phyr_attachment_resv - get the reservation objects that guard an attachment
 * @attach: the attachment
 * @i: 0, 1, …
 *
 * The first is the dma-buf's own. A composed dma-buf has one more for each
 * buffer that it has a part of. An importer that locks all of them (see
 * &phyr_importer_ops.locks_parts) waits for the fences of all and adds its
 * fences to all.
 *
 * Context: any.
 * Return: the reservation object, without a reference, or NULL.
 */
struct dma_resv *phyr_attachment_resv(const struct phyr_attachment *attach,
				      unsigned int i)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;
	struct dma_resv **resvs = &dmabuf->resv;
	unsigned int nr = 1;

	if (attach->kind != PHYR_KIND_FROM_STOCK && !attach->list)
		resvs = phyr_whole_resvs(phyr_dma_buf_buffer(dmabuf), &nr);
	return i < nr ? resvs[i] : NULL;
}
EXPORT_SYMBOL_NS_GPL(phyr_attachment_resv, "PHYR");

static int phyr_lock_alone(struct dma_resv *resv, bool interruptible)
{
	return interruptible ? dma_resv_lock_interruptible(resv, NULL) :
			       dma_resv_lock(resv, NULL);
}

/**
 * phyr_attachment_lock - take the locks that guard an attachment
 * @attach: the attachment
 * @locks: out: for phyr_buffer_unlock()
 *
 * Allocates nothing.
 *
 * Context: no reservation lock is held; sleeps, interruptibly.
 * Return: 0 or -EINTR.
 */
int phyr_attachment_lock(struct phyr_attachment *attach,
			 struct phyr_locks *locks)
{
	struct dma_buf *dmabuf = attach->attach->dmabuf;

	if (attach->kind != PHYR_KIND_FROM_STOCK && !attach->list)
		return phyr_buffer_lock(phyr_dma_buf_buffer(dmabuf), locks,
					true);
	phyr_locks_init(locks);
	locks->resvs = &dmabuf->resv;
	locks->nr = 1;
	return phyr_lock_alone(dmabuf->resv, true);
}

/**
 * phyr_attachment_assert_held - assert the locks that guard an attachment
 * @attach: the attachment
 *
 * Context: any.
 */
void phyr_attachment_assert_held(const struct phyr_attachment *attach)
{
	struct dma_resv *resv;
	unsigned int i;

	if (!IS_ENABLED(CONFIG_LOCKDEP))
		return;
	for (i = 0; (resv = phyr_attachment_resv(attach, i)); i++)
		dma_resv_assert_held(resv);
}

/**
 * phyr_buffer_lock - take the locks that guard a buffer
 * @buffer: the buffer
 * @locks: out: for phyr_buffer_unlock()
 * @interruptible: a signal ends the wait
 *
 * Of a composed buffer also those of its parts. Allocates nothing.
 *
 * Context: no reservation lock is held; sleeps.
 * Return: 0, or -EINTR with @interruptible.
 */
int phyr_buffer_lock(struct phyr_buffer *buffer, struct phyr_locks *locks,
		     bool interruptible)
{
	phyr_locks_init(locks);
	locks->resvs = phyr_whole_resvs(buffer, &locks->nr);
	if (locks->nr == 1)
		return phyr_lock_alone(buffer->resv, interruptible);
	return phyr_locks_take_all(locks, interruptible);
}

/**
 * phyr_buffer_unlock - drop the locks of phyr_buffer_lock()
 * @locks: the locks
 *
 * Context: any.
 */
void phyr_buffer_unlock(struct phyr_locks *locks)
{
	if (locks->nr == 1)
		dma_resv_unlock(locks->resvs[0]);
	else
		phyr_locks_release(locks);
}
