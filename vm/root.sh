# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154 # top, cache, root: of vm/lib.sh, which comes first
# Shared by what makes Debian file systems in the cache; sourced, not run.

suite=forky

packages() { sed 's/#.*//' "$package_list" | xargs -n 1 | sort; }

# The http(s) archive that the machine's own apt names, if it is Debian's.
apt_mirror() {
	command -v apt-get >/dev/null || return 0
	# shellcheck disable=SC2016 # the names are apt's
	apt-get indextargets --format '$(ORIGIN) $(LABEL) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk '$1 == "Debian" && $2 == "Debian" && $3 == "main" && $4 ~ /^https?:/ { print $4; exit }'
}

# Paths that no guest needs, as patterns: without them the image and the module index are small.
excluded() {
	printf '%s\n' \
		'/usr/share/man/*' '/usr/share/doc/*' '/usr/share/locale/*' '/usr/share/lintian/*' \
		'/usr/lib/modules/*/kernel/drivers/net/wireless/*' \
		'/usr/lib/modules/*/kernel/drivers/net/ethernet/*' \
		'/usr/lib/modules/*/kernel/drivers/net/can/*' \
		'/usr/lib/modules/*/kernel/drivers/net/usb/*' \
		'/usr/lib/modules/*/kernel/drivers/gpu/drm/amd/*' \
		'/usr/lib/modules/*/kernel/drivers/gpu/drm/i915/*' \
		'/usr/lib/modules/*/kernel/drivers/gpu/drm/nouveau/*' \
		'/usr/lib/modules/*/kernel/drivers/gpu/drm/radeon/*' \
		'/usr/lib/modules/*/kernel/drivers/gpu/drm/xe/*' \
		'/usr/lib/modules/*/kernel/drivers/media/usb/*' \
		'/usr/lib/modules/*/kernel/drivers/media/dvb*/*' \
		'/usr/lib/modules/*/kernel/drivers/media/tuners/*' \
		'/usr/lib/modules/*/kernel/drivers/hwmon/*' \
		'/usr/lib/modules/*/kernel/drivers/iio/*' \
		'/usr/lib/modules/*/kernel/drivers/input/*' \
		'/usr/lib/modules/*/kernel/drivers/isdn/*' \
		'/usr/lib/modules/*/kernel/drivers/usb/*' \
		'/usr/lib/modules/*/kernel/net/netfilter/*' \
		'/usr/lib/modules/*/kernel/sound/*' \
		'/etc/kernel/postinst.d/initramfs-tools'
}

bootstrap() {
	local dir=$1 mode=unshare mirror proxy options
	((EUID == 0)) && mode=root
	mirror=${PHYR_MIRROR:-$(apt_mirror)}
	proxy=$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null | sed "s/^proxy='\(.*\)'$/\1/")
	mapfile -t options < <(excluded | sed 's/^/--dpkgopt=path-exclude=/')
	[[ -z $proxy ]] || options+=(--aptopt="Acquire::http::Proxy \"$proxy\"")
	# One owner for everything: the same tree results for root and for a user
	# with a single uid, and inside the namespace it is root's.
	mmdebstrap --variant=apt --mode="$mode" "${options[@]}" \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--include="$(packages | paste -sd,)" "$suite" - ${mirror:+"$mirror"} |
		tar -x -C "$dir" --no-same-owner --exclude='./dev/*'
}

make_root() {
	local dir
	lock root
	[[ ! -e $root ]] || return 0
	dir=$(fresh_dir root)
	chmod 755 "$dir"
	step "Debian $suite, $(packages | wc -l) packages and what they need (a minute or two)" bootstrap "$dir"
	mkdir -p "$dir"/{phyr,out,src,build,run/phyr}
	mv "$dir" "$root"
}

# name_root LIST: sets root, the file system with the packages of vm/LIST, for make_root.
name_root() {
	package_list=$top/vm/$1
	root=$cache/root-$({ echo "$suite"; packages; declare -f excluded bootstrap make_root; } | hash_of)
}
