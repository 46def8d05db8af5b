// SPDX-License-Identifier: GPL-2.0
/*
 * phyr_vram_kunit.ko: KUnit tests of the VRAM driver's memory management
 *
 * Each *_test.c includes one production file and contains its suite.
 */
#include <linux/module.h>

MODULE_DESCRIPTION("KUnit tests of phyr_vram");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("PHYR");
MODULE_IMPORT_NS("PHYR_EXPORTER");
MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING");
