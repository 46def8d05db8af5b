// SPDX-License-Identifier: GPL-2.0
/*
 * Ioctls: formats, frame rates, controls
 *
 * The negotiated format is stored as struct v4l2_pix_format_mplane. A node with
 * the single-planar API reports its first plane, and offers only formats with
 * one memory plane.
 */
#include <linux/align.h>
#include <linux/minmax.h>
#include <media/v4l2-common.h>
#include <media/v4l2-dev.h>
#include <media/v4l2-event.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-ioctl.h>

#include "camera.h"

/* The real engine needs source and destination equal modulo 4. */
#define CAMERA_LINE_ALIGN	4
#define CAMERA_MAX_LINE		SZ_16K

/* The first one is the default, and the display's format. */
static const struct camera_format camera_formats[] = {
	{ V4L2_PIX_FMT_XBGR32, 1, 1, 4 },
	{ V4L2_PIX_FMT_XRGB32, 1, 1, 4 },
	{ V4L2_PIX_FMT_RGB565, 1, 1, 2 },
	{ V4L2_PIX_FMT_YUYV, 1, 1, 2, true },
	{ V4L2_PIX_FMT_NV12, 1, 2, 1, true },
	{ V4L2_PIX_FMT_NV12M, 2, 2, 1, true },
};

static const struct v4l2_fract camera_interval_default = { 1, 30 };
static const struct v4l2_fract camera_interval_min = { 1, 60 };
static const struct v4l2_fract camera_interval_max = { 1, 1 };

static bool camera_is_multiplanar(const struct camera *camera)
{
	return V4L2_TYPE_IS_MULTIPLANAR(camera->queue.vb2.type);
}

static bool camera_offers(const struct camera *camera,
			  const struct camera_format *format)
{
	return format->memory_planes == 1 || camera_is_multiplanar(camera);
}

/* Return: the format, or NULL. */
static const struct camera_format *
camera_find_format(const struct camera *camera, u32 fourcc)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(camera_formats); i++)
		if (camera_formats[i].fourcc == fourcc &&
		    camera_offers(camera, &camera_formats[i]))
			return &camera_formats[i];
	return NULL;
}

/*
 * Formats
 */

/* Adjust @pix to the nearest supported format. */
static const struct camera_format *
camera_adjust(const struct camera *camera, struct v4l2_pix_format_mplane *pix)
{
	const struct camera_format *format;
	u32 pitch, lines, i;

	format = camera_find_format(camera, pix->pixelformat);
	if (!format)
		format = &camera_formats[0];

	pix->pixelformat = format->fourcc;
	v4l_bound_align_image(&pix->width, CAMERA_MIN_WIDTH, CAMERA_MAX_WIDTH,
			      1, &pix->height, CAMERA_MIN_HEIGHT,
			      CAMERA_MAX_HEIGHT, 1, 0);
	pix->field = V4L2_FIELD_NONE;
	pix->colorspace = V4L2_COLORSPACE_SRGB;
	pix->xfer_func = V4L2_XFER_FUNC_SRGB;
	pix->ycbcr_enc = V4L2_YCBCR_ENC_601;
	pix->quantization = format->yuv ? V4L2_QUANTIZATION_LIM_RANGE :
					  V4L2_QUANTIZATION_FULL_RANGE;
	pix->flags = 0;
	pix->num_planes = format->memory_planes;
	memset(pix->reserved, 0, sizeof(pix->reserved));

	for (i = 0; i < format->memory_planes; i++) {
		struct v4l2_plane_pix_format *plane = &pix->plane_fmt[i];

		pitch = clamp(plane->bytesperline, pix->width * format->cpp,
			      CAMERA_MAX_LINE);
		plane->bytesperline = ALIGN(pitch, CAMERA_LINE_ALIGN);
		lines = i ? pix->height / 2 : pix->height;
		if (format->planes > format->memory_planes)
			lines += pix->height / 2;
		plane->sizeimage = plane->bytesperline * lines;
		memset(plane->reserved, 0, sizeof(plane->reserved));
	}
	return format;
}

static void camera_to_multiplanar(const struct v4l2_pix_format *single,
				  struct v4l2_pix_format_mplane *pix)
{
	*pix = (struct v4l2_pix_format_mplane) {
		.width = single->width,
		.height = single->height,
		.pixelformat = single->pixelformat,
		.plane_fmt[0].bytesperline = single->bytesperline,
	};
}

static void camera_to_single(const struct v4l2_pix_format_mplane *pix,
			     struct v4l2_pix_format *single)
{
	*single = (struct v4l2_pix_format) {
		.width = pix->width,
		.height = pix->height,
		.pixelformat = pix->pixelformat,
		.field = pix->field,
		.bytesperline = pix->plane_fmt[0].bytesperline,
		.sizeimage = pix->plane_fmt[0].sizeimage,
		.colorspace = pix->colorspace,
		.xfer_func = pix->xfer_func,
		.ycbcr_enc = pix->ycbcr_enc,
		.quantization = pix->quantization,
		.priv = V4L2_PIX_FMT_PRIV_MAGIC,
	};
}

static int camera_enum_fmt(struct file *file, void *fh, struct v4l2_fmtdesc *f)
{
	struct camera *camera = video_drvdata(file);
	unsigned int i, index = f->index;

	for (i = 0; i < ARRAY_SIZE(camera_formats); i++) {
		if (!camera_offers(camera, &camera_formats[i]) || index--)
			continue;
		f->pixelformat = camera_formats[i].fourcc;
		return 0;
	}
	return -EINVAL;
}

/*
 * The ioctl table has the operations of both APIs; the queue's type tells which
 * of them the node supports. Those of the other fail as for an unknown type.
 */
static bool camera_has_type(const struct camera *camera, u32 type)
{
	return camera->queue.vb2.type == type;
}

static int camera_g_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct camera *camera = video_drvdata(file);

	if (!camera_has_type(camera, f->type))
		return -EINVAL;
	camera_to_single(&camera->pix, &f->fmt.pix);
	return 0;
}

static int camera_g_fmt_mplane(struct file *file, void *fh,
			       struct v4l2_format *f)
{
	struct camera *camera = video_drvdata(file);

	if (!camera_has_type(camera, f->type))
		return -EINVAL;
	f->fmt.pix_mp = camera->pix;
	return 0;
}

static int camera_try_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct camera *camera = video_drvdata(file);
	struct v4l2_pix_format_mplane pix;

	if (!camera_has_type(camera, f->type))
		return -EINVAL;
	camera_to_multiplanar(&f->fmt.pix, &pix);
	camera_adjust(camera, &pix);
	camera_to_single(&pix, &f->fmt.pix);
	return 0;
}

static int camera_try_fmt_mplane(struct file *file, void *fh,
				 struct v4l2_format *f)
{
	struct camera *camera = video_drvdata(file);

	if (!camera_has_type(camera, f->type))
		return -EINVAL;
	camera_adjust(camera, &f->fmt.pix_mp);
	return 0;
}

static int camera_set_format(struct camera *camera,
			     struct v4l2_pix_format_mplane *pix)
{
	const struct camera_format *format = camera_adjust(camera, pix);

	if (vb2_is_busy(&camera->queue.vb2))
		return -EBUSY;

	camera->format = format;
	camera->pix = *pix;
	return 0;
}

static int camera_s_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct camera *camera = video_drvdata(file);
	struct v4l2_pix_format_mplane pix;
	int ret;

	if (!camera_has_type(camera, f->type))
		return -EINVAL;
	camera_to_multiplanar(&f->fmt.pix, &pix);
	ret = camera_set_format(camera, &pix);
	if (!ret)
		camera_to_single(&pix, &f->fmt.pix);
	return ret;
}

static int camera_s_fmt_mplane(struct file *file, void *fh,
			       struct v4l2_format *f)
{
	struct camera *camera = video_drvdata(file);

	if (!camera_has_type(camera, f->type))
		return -EINVAL;
	return camera_set_format(camera, &f->fmt.pix_mp);
}

/*
 * Sizes and rates
 */

static int camera_enum_framesizes(struct file *file, void *fh,
				  struct v4l2_frmsizeenum *f)
{
	if (f->index || !camera_find_format(video_drvdata(file),
					    f->pixel_format))
		return -EINVAL;

	f->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	f->stepwise = (struct v4l2_frmsize_stepwise) {
		.min_width = CAMERA_MIN_WIDTH,
		.max_width = CAMERA_MAX_WIDTH,
		.step_width = 2,
		.min_height = CAMERA_MIN_HEIGHT,
		.max_height = CAMERA_MAX_HEIGHT,
		.step_height = 2,
	};
	return 0;
}

static int camera_enum_frameintervals(struct file *file, void *fh,
				      struct v4l2_frmivalenum *f)
{
	if (f->index || !camera_find_format(video_drvdata(file),
					    f->pixel_format) ||
	    !in_range(f->width, CAMERA_MIN_WIDTH,
		      CAMERA_MAX_WIDTH - CAMERA_MIN_WIDTH + 1) ||
	    !in_range(f->height, CAMERA_MIN_HEIGHT,
		      CAMERA_MAX_HEIGHT - CAMERA_MIN_HEIGHT + 1) ||
	    f->width % 2 || f->height % 2)
		return -EINVAL;

	f->type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
	f->stepwise.min = camera_interval_min;
	f->stepwise.max = camera_interval_max;
	f->stepwise.step = (struct v4l2_fract) { 1, 1 };
	return 0;
}

static void camera_show_parm(const struct camera *camera,
			     struct v4l2_streamparm *parm)
{
	parm->parm.capture = (struct v4l2_captureparm) {
		.capability = V4L2_CAP_TIMEPERFRAME,
		.timeperframe = camera->interval,
	};
}

static int camera_g_parm(struct file *file, void *fh,
			 struct v4l2_streamparm *parm)
{
	struct camera *camera = video_drvdata(file);

	if (!camera_has_type(camera, parm->type))
		return -EINVAL;
	camera_show_parm(camera, parm);
	return 0;
}

static int camera_s_parm(struct file *file, void *fh,
			 struct v4l2_streamparm *parm)
{
	struct v4l2_fract interval = parm->parm.capture.timeperframe;
	struct camera *camera = video_drvdata(file);

	if (!camera_has_type(camera, parm->type))
		return -EINVAL;
	if (vb2_is_streaming(&camera->queue.vb2))
		return -EBUSY;

	if (!interval.numerator || !interval.denominator)
		interval = camera_interval_default;
	if (V4L2_FRACT_COMPARE(interval, <, camera_interval_min))
		interval = camera_interval_min;
	if (V4L2_FRACT_COMPARE(interval, >, camera_interval_max))
		interval = camera_interval_max;
	camera->interval = interval;
	camera_show_parm(camera, parm);
	return 0;
}

/*
 * Input, capabilities and events
 */

static int camera_enum_input(struct file *file, void *fh, struct v4l2_input *in)
{
	if (in->index)
		return -EINVAL;

	in->type = V4L2_INPUT_TYPE_CAMERA;
	strscpy(in->name, "Test pattern", sizeof(in->name));
	return 0;
}

static int camera_g_input(struct file *file, void *fh, unsigned int *index)
{
	*index = 0;
	return 0;
}

static int camera_s_input(struct file *file, void *fh, unsigned int index)
{
	return index ? -EINVAL : 0;
}

static int camera_querycap(struct file *file, void *fh,
			   struct v4l2_capability *cap)
{
	strscpy(cap->driver, "phyr_camera", sizeof(cap->driver));
	strscpy(cap->card, "LSI 53C895A camera", sizeof(cap->card));
	return 0;
}

static int camera_subscribe_event(struct v4l2_fh *fh,
				  const struct v4l2_event_subscription *sub)
{
	/* Queue enough events for a reader that lags a few frames behind. */
	if (sub->type == V4L2_EVENT_FRAME_SYNC)
		return v4l2_event_subscribe(fh, sub, 8, NULL);
	return v4l2_ctrl_subscribe_event(fh, sub);
}

const struct v4l2_ioctl_ops camera_ioctl_ops = {
	.vidioc_querycap = camera_querycap,
	.vidioc_enum_fmt_vid_cap = camera_enum_fmt,
	.vidioc_g_fmt_vid_cap = camera_g_fmt,
	.vidioc_try_fmt_vid_cap = camera_try_fmt,
	.vidioc_s_fmt_vid_cap = camera_s_fmt,
	.vidioc_g_fmt_vid_cap_mplane = camera_g_fmt_mplane,
	.vidioc_try_fmt_vid_cap_mplane = camera_try_fmt_mplane,
	.vidioc_s_fmt_vid_cap_mplane = camera_s_fmt_mplane,
	.vidioc_enum_framesizes = camera_enum_framesizes,
	.vidioc_enum_frameintervals = camera_enum_frameintervals,
	.vidioc_g_parm = camera_g_parm,
	.vidioc_s_parm = camera_s_parm,
	.vidioc_enum_input = camera_enum_input,
	.vidioc_g_input = camera_g_input,
	.vidioc_s_input = camera_s_input,

	.vidioc_reqbufs = vb2_ioctl_reqbufs,
	.vidioc_create_bufs = vb2_ioctl_create_bufs,
	.vidioc_remove_bufs = vb2_ioctl_remove_bufs,
	.vidioc_prepare_buf = vb2_ioctl_prepare_buf,
	.vidioc_querybuf = vb2_ioctl_querybuf,
	.vidioc_qbuf = vb2_ioctl_qbuf,
	.vidioc_dqbuf = vb2_ioctl_dqbuf,
	.vidioc_expbuf = vb2_ioctl_expbuf,
	.vidioc_streamon = vb2_ioctl_streamon,
	.vidioc_streamoff = vb2_ioctl_streamoff,

	.vidioc_log_status = v4l2_ctrl_log_status,
	.vidioc_subscribe_event = camera_subscribe_event,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

const struct v4l2_file_operations camera_fops = {
	.owner = THIS_MODULE,
	.open = v4l2_fh_open,
	.release = vb2_fop_release,
	.unlocked_ioctl = video_ioctl2,
	.mmap = vb2_fop_mmap,
	.poll = vb2_fop_poll,
};

/*
 * Controls
 */

static int camera_s_ctrl(struct v4l2_ctrl *ctrl)
{
	struct camera *camera = container_of(ctrl->handler, struct camera,
					     ctrls);

	guard(spinlock)(&camera->buffers_lock);
	switch (ctrl->id) {
	case V4L2_CID_BRIGHTNESS:
		camera->look.brightness = ctrl->val;
		return 0;
	case V4L2_CID_TEST_PATTERN:
		camera->look.pattern = ctrl->val;
		return 0;
	default:
		return -EINVAL;
	}
}

static const struct v4l2_ctrl_ops camera_ctrl_ops = {
	.s_ctrl = camera_s_ctrl,
};

/**
 * camera_video_init - set the initial format, rate and controls
 * @camera: the camera; its queue is initialised
 *
 * Context: probe; the caller frees the control handler, also after an error.
 * Return: 0 or a negative errno.
 */
int camera_video_init(struct camera *camera)
{
	struct v4l2_pix_format_mplane pix = { .width = 640, .height = 480 };
	int ret;

	ret = camera_set_format(camera, &pix);
	if (ret)
		return ret;
	camera->interval = camera_interval_default;

	v4l2_ctrl_new_std(&camera->ctrls, &camera_ctrl_ops, V4L2_CID_BRIGHTNESS,
			  0, 255, 1, 128);
	v4l2_ctrl_new_std_menu_items(&camera->ctrls, &camera_ctrl_ops,
				     V4L2_CID_TEST_PATTERN,
				     CAMERA_PATTERNS - 1, 0, 0,
				     camera_pattern_names);
	if (camera->ctrls.error)
		return camera->ctrls.error;
	return v4l2_ctrl_handler_setup(&camera->ctrls);
}
