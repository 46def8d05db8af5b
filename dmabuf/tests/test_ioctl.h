/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies the arguments of a test module's ioctls in and their results out
 */
#ifndef _PHYR_TEST_IOCTL_H
#define _PHYR_TEST_IOCTL_H

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/uaccess.h>

/**
 * test_ioctl_call - run an ioctl for root
 * @file: of the caller
 * @cmd: its direction and size say what is copied
 * @arg: user address of the arguments
 * @args: buffer for them, zeroed
 * @max: bytes of @args
 * @dispatch: the ioctl itself, on the copy; takes the locks that it needs
 *
 * Context: may sleep.
 * Return: what @dispatch returns; -EPERM, -ENOTTY for arguments that are too
 * large, or -EFAULT, also after @dispatch if its results cannot be copied out.
 */
static inline long test_ioctl_call(struct file *file, unsigned int cmd,
				   unsigned long arg, void *args, size_t max,
				   int (*dispatch)(struct file *file,
						   unsigned int cmd,
						   void *args))
{
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (size > max)
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(args, user, size))
		return -EFAULT;

	ret = dispatch(file, cmd, args);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, args, size))
		return -EFAULT;
	return ret;
}

#endif
