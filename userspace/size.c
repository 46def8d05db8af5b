// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "size.h"

static const char units[] = "BKMGT";

int parse_size(const char *text, uint64_t *size)
{
	unsigned int shift = 0;
	const char *unit;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*size = strtoull(text, &end, 0);
	if (errno)
		return -EINVAL;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || end[1])
			return -EINVAL;
		shift = (unit - units) * 10;
	}
	if (*size << shift >> shift != *size)
		return -EINVAL;
	*size <<= shift;
	return 0;
}

const char *format_size(uint64_t size, char text[SIZE_TEXT])
{
	unsigned int unit = 0;

	while (size && size % 1024 == 0 && unit < sizeof(units) - 2) {
		size /= 1024;
		unit++;
	}
	if (unit)
		snprintf(text, SIZE_TEXT, "%" PRIu64 " %ciB", size, units[unit]);
	else
		snprintf(text, SIZE_TEXT, "%" PRIu64 " B", size);
	return text;
}
