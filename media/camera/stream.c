// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers, and the thread that fills them
 *
 * One thread per stream processes frames one at a time: it waits for a buffer
 * and for the time of the next frame, draws the frame in coherent memory, calls
 * vb2_phyr_begin(), transfers the frame with the engine, and returns the
 * buffer. The sensor is triggered, not free-running: an exposure starts when a
 * buffer is available and takes one period. Sequence numbers therefore have no
 * gaps: a failed frame has a number too, and the error flag. Only the timestamp
 * shows how late a frame is.
 *
 * Invariants
 * - The thread owns at most one buffer, which is on no list; all others owned
 *   by the driver are on camera.buffers.
 * - Between vb2_phyr_begin() and vb2_phyr_end() the thread waits only for the
 *   engine, which makes progress or is reset.
 * - camera.frame and camera.run belong to the thread. stop_streaming() frees
 *   the frame's memory after the thread has ended.
 *
 * The thread takes none of the mutexes held around ioctls, so stop_streaming()
 * can wait for it.
 *
 * Suspend: the thread is not freezable. Evicting a buffer from VRAM waits for
 * the fence of its frame, which a frozen thread would never signal. After
 * camera_stream_suspend() the thread starts no frame, and the frame in flight
 * fails. Suspend does not wait for the thread, because vb2_phyr_begin() may be
 * waiting for a device that is already suspended.
 */
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/phyr_inject.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <media/v4l2-event.h>

#include "camera.h"

/* The engine hangs if no script completes within this time. */
#define CAMERA_TIMEOUT msecs_to_jiffies(2000)

static struct camera_buffer *to_camera_buffer(struct vb2_buffer *vb)
{
	return container_of(to_vb2_v4l2_buffer(vb), struct camera_buffer, vb);
}

/*
 * A frame
 */

static int camera_frame_alloc(struct camera *camera)
{
	struct camera_frame *frame = &camera->frame;
	struct device *dev = camera->queue.vb2.dev;
	unsigned int i;
	int ret;

	*frame = (struct camera_frame) {
		.format = camera->format,
		.pix = camera->pix,
	};
	frame->line = kmalloc_array(frame->pix.width, frame->format->cpp,
				    GFP_KERNEL);
	if (!frame->line)
		return -ENOMEM;

	for (i = 0; i < frame->format->memory_planes; i++) {
		ret = camera_memory_alloc(&frame->memory[i], dev,
					  frame->pix.plane_fmt[i].sizeimage);
		if (ret)
			return ret;
	}
	return 0;
}

/* Accepts a partly allocated frame. */
static void camera_frame_free(struct camera_frame *frame)
{
	unsigned int i;

	for (i = 0; i < CAMERA_PLANES; i++)
		camera_memory_free(&frame->memory[i]);
	kfree(frame->line);
	frame->line = NULL;
}

/*
 * The thread
 */

static void camera_run_hangs(struct camera *camera)
{
	if (camera->run.injected)
		dev_notice(camera->engine.dev, "injected engine hang, reset\n");
	else
		dev_err(camera->engine.dev, "engine hang, reset\n");
	phyr_engine_abort(&camera->engine, &camera->run, -ETIMEDOUT);
}

/* Return: 0, or the error of the run's fence. */
static int camera_run_wait(struct camera *camera, struct dma_fence *fence)
{
	int status;

	while (!dma_fence_wait_timeout(fence, false, CAMERA_TIMEOUT))
		if (!phyr_engine_progress(&camera->engine, &camera->run))
			camera_run_hangs(camera);
	status = dma_fence_get_status(fence);
	return min(status, 0);
}

/* Takes ownership of @fence, uninitialised memory for the run's fence. */
static int camera_move_plane(struct camera *camera, struct vb2_buffer *vb,
			     unsigned int plane, struct dma_fence *fence)
{
	u64 len = camera->frame.pix.plane_fmt[plane].sizeimage;
	struct phyr_engine_run *run = &camera->run;
	struct dma_fence *started;
	int ret;

	*run = (struct phyr_engine_run) {
		.len = len,
		.left = len,
		.fence = fence,
	};
	dma_range_cursor_init(&run->src.cursor,
			      camera->frame.memory[plane].ranges, 0);
	dma_range_cursor_init(&run->dst.cursor,
			      vb2_phyr_plane_ranges(vb, plane), 0);
	started = phyr_engine_start(&camera->engine, run);
	if (IS_ERR(started)) {
		kfree(fence);
		return PTR_ERR(started);
	}

	ret = camera_run_wait(camera, started);
	dma_fence_put(started);
	dma_fence_put(fence);
	return ret;
}

static int camera_alloc_fences(struct camera *camera, struct dma_fence **fences)
{
	unsigned int i;

	for (i = 0; i < camera->frame.format->memory_planes; i++) {
		fences[i] = kzalloc_obj(*fences[i]);
		if (!fences[i])
			return -ENOMEM;
	}
	return 0;
}

/* Between begin and end. Takes ownership of the fences that it sets to NULL. */
static int camera_move(struct camera *camera, struct vb2_buffer *vb,
		       struct dma_fence **fences)
{
	unsigned int plane;
	int ret = 0;

	for (plane = 0; plane < vb->num_planes && !ret; plane++) {
		ret = camera_move_plane(camera, vb, plane, fences[plane]);
		fences[plane] = NULL;
	}
	return ret;
}

static void camera_tell_start(struct camera *camera)
{
	const struct v4l2_event event = {
		.type = V4L2_EVENT_FRAME_SYNC,
		.u.frame_sync.frame_sequence = camera->sequence,
	};

	v4l2_event_queue(&camera->vdev, &event);
}

static int camera_capture(struct camera *camera, struct vb2_buffer *vb)
{
	struct dma_fence *fences[CAMERA_PLANES] = { };
	struct camera_look look;
	struct dma_fence *fence;
	unsigned int i;
	bool cookie;
	int ret;

	spin_lock(&camera->buffers_lock);
	look = camera->look;
	spin_unlock(&camera->buffers_lock);
	camera_frame_draw(&camera->frame, look, camera->sequence);

	ret = camera_alloc_fences(camera, fences);
	if (ret)
		goto out_free;
	fence = vb2_phyr_begin(vb);
	if (IS_ERR(fence)) {
		ret = PTR_ERR(fence);
		goto out_free;
	}

	cookie = dma_fence_begin_signalling();
	phyr_inject_delay();
	camera_tell_start(camera);
	ret = camera_move(camera, vb, fences);
	vb->timestamp = ktime_get_ns();
	vb2_phyr_end(vb, fence, ret);
	dma_fence_end_signalling(cookie);
out_free:
	for (i = 0; i < CAMERA_PLANES; i++)
		kfree(fences[i]);
	return ret;
}

static struct camera_buffer *camera_take_buffer(struct camera *camera)
{
	struct camera_buffer *buffer;

	lockdep_assert_held(&camera->buffers_lock);

	buffer = list_first_entry_or_null(&camera->buffers,
					  struct camera_buffer, node);
	if (buffer)
		list_del(&buffer->node);
	return buffer;
}

/* Return: the buffer for the next frame, or NULL. */
static struct camera_buffer *camera_next_buffer(struct camera *camera)
{
	guard(spinlock)(&camera->buffers_lock);
	return camera->suspended ? NULL : camera_take_buffer(camera);
}

/* If a frame is to be captured, delay @time until the end of its exposure. */
static bool camera_has_buffer(struct camera *camera, ktime_t *time)
{
	struct camera_buffer *buffer;
	ktime_t end;

	guard(spinlock)(&camera->buffers_lock);
	if (camera->suspended)
		return false;
	buffer = list_first_entry_or_null(&camera->buffers,
					  struct camera_buffer, node);
	if (!buffer)
		return false;
	end = ktime_add_ns(buffer->queued, camera->period);
	if (ktime_before(*time, end))
		*time = end;
	return true;
}

static void camera_do_frame(struct camera *camera)
{
	struct camera_buffer *buffer = camera_next_buffer(camera);
	struct vb2_buffer *vb;
	int ret;

	if (!buffer)
		return;

	vb = &buffer->vb.vb2_buf;
	/* For a frame that fails before its DMA; overwritten at DMA end. */
	vb->timestamp = ktime_get_ns();
	ret = camera_capture(camera, vb);
	buffer->vb.sequence = camera->sequence++;
	buffer->vb.field = V4L2_FIELD_NONE;
	vb2_buffer_done(vb, ret ? VB2_BUF_STATE_ERROR : VB2_BUF_STATE_DONE);
}

/* Wait until @time or kthread_stop(). */
static void camera_sleep_until(ktime_t time)
{
	do {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
	} while (schedule_hrtimeout(&time, HRTIMER_MODE_ABS));
	__set_current_state(TASK_RUNNING);
}

static int camera_thread(void *data)
{
	struct camera *camera = data;
	ktime_t next = ktime_get();

	while (!kthread_should_stop()) {
		wait_event_idle(camera->wait, kthread_should_stop() ||
				camera_has_buffer(camera, &next));
		camera_sleep_until(next);
		if (kthread_should_stop())
			break;

		camera_do_frame(camera);
		/* Do not catch up if more than a period late. */
		next = ktime_add_ns(next, camera->period);
		if (ktime_before(next, ktime_get()))
			next = ktime_get();
	}
	return 0;
}

/*
 * videobuf2 operations
 */

static int camera_queue_setup(struct vb2_queue *vb2, unsigned int *nr_buffers,
			      unsigned int *nr_planes, unsigned int sizes[],
			      struct device *alloc_devs[])
{
	struct camera *camera = vb2_get_drv_priv(vb2);
	unsigned int planes = camera->format->memory_planes, i;

	if (*nr_planes) {
		if (*nr_planes != planes)
			return -EINVAL;
		for (i = 0; i < planes; i++)
			if (sizes[i] < camera->pix.plane_fmt[i].sizeimage)
				return -EINVAL;
		return 0;
	}

	*nr_planes = planes;
	for (i = 0; i < planes; i++)
		sizes[i] = camera->pix.plane_fmt[i].sizeimage;
	return 0;
}

static int camera_buf_prepare(struct vb2_buffer *vb)
{
	struct camera *camera = vb2_get_drv_priv(vb->vb2_queue);
	unsigned int i;

	for (i = 0; i < vb->num_planes; i++) {
		u32 size = camera->pix.plane_fmt[i].sizeimage;

		if (vb2_plane_size(vb, i) < size)
			return -EINVAL;
		vb2_set_plane_payload(vb, i, size);
	}
	return vb2_phyr_prepare(vb);
}

static void camera_buf_queue(struct vb2_buffer *vb)
{
	struct camera *camera = vb2_get_drv_priv(vb->vb2_queue);
	struct camera_buffer *buffer = to_camera_buffer(vb);

	buffer->queued = ktime_get();
	spin_lock(&camera->buffers_lock);
	list_add_tail(&buffer->node, &camera->buffers);
	spin_unlock(&camera->buffers_lock);
	wake_up(&camera->wait);
}

static void camera_return_buffers(struct camera *camera,
				  enum vb2_buffer_state state)
{
	struct camera_buffer *buffer;

	do {
		spin_lock(&camera->buffers_lock);
		buffer = camera_take_buffer(camera);
		spin_unlock(&camera->buffers_lock);
		if (buffer)
			vb2_buffer_done(&buffer->vb.vb2_buf, state);
	} while (buffer);
}

static int camera_start_streaming(struct vb2_queue *vb2, unsigned int count)
{
	struct camera *camera = vb2_get_drv_priv(vb2);
	struct task_struct *thread;
	int ret;

	ret = video_device_pipeline_alloc_start(&camera->vdev);
	if (ret)
		goto err_return;
	ret = camera_frame_alloc(camera);
	if (ret)
		goto err_free;

	camera->sequence = 0;
	camera->period = div_u64((u64)camera->interval.numerator * NSEC_PER_SEC,
				 camera->interval.denominator);
	thread = kthread_run(camera_thread, camera, "phyr-%s",
			     video_device_node_name(&camera->vdev));
	if (IS_ERR(thread)) {
		ret = PTR_ERR(thread);
		goto err_free;
	}
	camera->thread = thread;
	return 0;

err_free:
	camera_frame_free(&camera->frame);
	video_device_pipeline_stop(&camera->vdev);
err_return:
	camera_return_buffers(camera, VB2_BUF_STATE_QUEUED);
	return ret;
}

static void camera_stop_streaming(struct vb2_queue *vb2)
{
	struct camera *camera = vb2_get_drv_priv(vb2);

	kthread_stop(camera->thread);
	camera->thread = NULL;
	camera_return_buffers(camera, VB2_BUF_STATE_ERROR);
	camera_frame_free(&camera->frame);
	video_device_pipeline_stop(&camera->vdev);
}

static const struct vb2_ops camera_vb2_ops = {
	.queue_setup = camera_queue_setup,
	.buf_prepare = camera_buf_prepare,
	.buf_queue = camera_buf_queue,
	.start_streaming = camera_start_streaming,
	.stop_streaming = camera_stop_streaming,
	.unprepare_streaming = vb2_phyr_unprepare_streaming,
};

static void camera_set_suspended(struct camera *camera, bool suspended)
{
	spin_lock(&camera->buffers_lock);
	camera->suspended = suspended;
	spin_unlock(&camera->buffers_lock);
}

/**
 * camera_stream_suspend - stop the hardware, and start no frame
 * @camera: the camera
 *
 * The frame in flight ends with the error flag; queued buffers stay queued.
 *
 * Context: suspend; may sleep.
 */
void camera_stream_suspend(struct camera *camera)
{
	camera_set_suspended(camera, true);
	phyr_engine_stop(&camera->engine);
}

/**
 * camera_stream_resume - continue after camera_stream_suspend()
 * @camera: the camera
 *
 * Context: resume; may sleep.
 */
void camera_stream_resume(struct camera *camera)
{
	phyr_engine_resume(&camera->engine);
	camera_set_suspended(camera, false);
	wake_up(&camera->wait);
}

/**
 * camera_queue_init - initialise the videobuf2 queue
 * @camera: the camera; its @lock is initialised
 * @dev: the device that does DMA; its DMA masks are set
 * @multiplanar: use the multi-planar API
 *
 * Context: probe.
 * Return: 0 or a negative errno.
 */
int camera_queue_init(struct camera *camera, struct device *dev,
		      bool multiplanar)
{
	struct vb2_queue *vb2 = &camera->queue.vb2;

	spin_lock_init(&camera->buffers_lock);
	INIT_LIST_HEAD(&camera->buffers);
	init_waitqueue_head(&camera->wait);

	/* No limits: the engine splits ranges itself. */
	vb2_phyr_init(&camera->queue);
	vb2->type = multiplanar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE :
				  V4L2_BUF_TYPE_VIDEO_CAPTURE;
	vb2->io_modes = VB2_MMAP | VB2_DMABUF;
	vb2->dev = dev;
	vb2->lock = &camera->lock;
	vb2->drv_priv = camera;
	vb2->buf_struct_size = sizeof(struct camera_buffer);
	vb2->ops = &camera_vb2_ops;
	vb2->mem_ops = &vb2_phyr_memops;
	vb2->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	vb2->min_queued_buffers = 1;
	if (dma_addressing_limited(dev))
		vb2->gfp_flags = __GFP_DMA32;
	return vb2_queue_init(vb2);
}
