# SPDX-License-Identifier: MIT
# Is drm_info's JSON that of phyr_vram's display, with $modes modes?
def fourcc: explode | .[0] + 256 * (.[1] + 256 * (.[2] + 256 * .[3]));
to_entries[0].value |
.driver.name == "phyr_vram" and .driver.client_caps.ATOMIC and
(.planes | length) == 1 and
(.planes[0].formats | sort) == (["XR24", "BX24", "RG16", "AR24", "BA24"] | map(fourcc) | sort) and
(.crtcs | length) == 1 and (.connectors | length) == 1 and
.connectors[0].status == 1 and (.connectors[0].modes | length) == $modes
