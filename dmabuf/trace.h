/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM phyr

#if !defined(_PHYR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PHYR_TRACE_H

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/tracepoint.h>

TRACE_EVENT(phyr_attach,
	TP_PROTO(struct dma_buf *dmabuf, struct device *dev, const char *way,
		 const char *why),
	TP_ARGS(dmabuf, dev, way, why),
	TP_STRUCT__entry(
		__string(exporter, dmabuf->exp_name)
		__string(dev, dev_name(dev))
		__field(size_t, size)
		__string(way, way)
		__string(why, why)
	),
	TP_fast_assign(
		__assign_str(exporter);
		__assign_str(dev);
		__entry->size = dmabuf->size;
		__assign_str(way);
		__assign_str(why);
	),
	TP_printk("exporter=%s importer=%s size=%zu way=%s why=%s",
		  __get_str(exporter), __get_str(dev), __entry->size,
		  __get_str(way), __get_str(why))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
