#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What may include what: tools -> filter -> cbpf -> ebpf, tools the public
# headers alone, and each outside library only the files that wrap it.
. "${srcdir:-.}/tests/support/suite.sh"
cd "$srcdir" || exit 99

# includes FOLDER...: "file:line:<header>" or "file:line:"header"" of each #include.
includes()
{
	find "$@" -name '*.[ch]' | sort | xargs grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null |
		sed -E 's/^([^:]*:[0-9]+:)[[:space:]]*#[[:space:]]*include[[:space:]]*/\1/; s/[[:space:]]*(\/\*.*)?$//'
}

# own FOLDER ALLOWED: includes of our own headers, public or private, that the
# pattern does not allow.
own()
{
	includes "$1" | grep -E ':("|<bpfsift/)' | grep -vE ":($2)\$"
}

check 'the patterns see #include lines at all' test "$(includes ebpf cbpf | wc -l)" -gt 10

check_empty 'ebpf/ includes only its own' \
	"$(own ebpf '"(config\.h|ebpf/[a-z0-9_/]+\.(h|def))"|<bpfsift/ebpf\.h>')"
check_empty 'cbpf/ includes only its own and ebpf/' \
	"$(own cbpf '"(config\.h|(ebpf|cbpf)/[a-z0-9_/]+\.(h|def))"|<bpfsift/(ebpf|cbpf)\.h>')"
check_empty 'filter/ includes only its own, cbpf/ and ebpf/' \
	"$(own filter '"(config\.h|(ebpf|cbpf|filter)/[a-z0-9_/]+\.(h|def))"|<bpfsift/(ebpf|cbpf|filter)\.h>')"
check_empty 'tools/ includes public headers only' \
	"$(own tools '"(config\.h|tools/[a-z0-9_/]+\.h)"|<bpfsift/(ebpf|cbpf|filter)\.h>')"
check_empty 'bpfsift/ebpf.h stands on no other public header' \
	"$(own include/bpfsift/ebpf.h 'none')"
check_empty 'bpfsift/cbpf.h stands on bpfsift/ebpf.h' \
	"$(own include/bpfsift/cbpf.h '<bpfsift/ebpf\.h>')"
check_empty 'bpfsift/filter.h stands on the other two' \
	"$(own include/bpfsift/filter.h '<bpfsift/(ebpf|cbpf)\.h>')"
check_empty 'the public headers need no system header beyond these' \
	"$(includes include | grep ':<' | grep -vE ':<(bpfsift/.*|stdbool\.h|stddef\.h|stdint\.h|stdio\.h)>$')"

# Wrapping files.  A new one is a decision: it goes here by name.
pcap_wrappers='filter/(expr|libpcap|source_live|source_savefile)\.c'
md_wrappers='ebpf/tag\.c'
linux_wrappers='(filter/(attach|sandbox|source_live)|tools/(bpfsift_confine|cbpf2ebpf_kernel|seccomp_filter))\.c'
check_empty 'libpcap is included only by the files that wrap it' \
	"$(includes ebpf cbpf filter tools include | grep -E ':[<"]pcap' | grep -vE "^$pcap_wrappers:")"
check_empty 'kernel headers are included only by the files that talk to the kernel' \
	"$(includes ebpf cbpf filter tools include |
		grep -E ':[<"](linux|net|netpacket)/' | grep -vE "^$linux_wrappers:")"
check_empty 'uthash is included only by the hash map' \
	"$(includes ebpf cbpf filter tools include | grep -E ':[<"]uthash' | grep -v '^ebpf/map_hash\.c:')"
check_empty 'libelf is included only by the reader and the writers of object files' \
	"$(includes ebpf cbpf filter tools include |
		grep -E ':[<"](elf\.h|gelf\.h|libelf)' | grep -vE '^(ebpf/object_elf|tools/cbpf2ebpf_elf|tools/native_gdb)\.c:')"
check_empty 'libbpf is included only by what loads programs into the kernel' \
	"$(includes ebpf cbpf filter tools include |
		grep -E ':[<"]bpf/' | grep -v '^tools/cbpf2ebpf_kernel\.c:')"
check_empty 'capstone is included only by what shows machine code' \
	"$(includes ebpf cbpf filter tools include | grep -E ':[<"]capstone' | grep -v '^tools/native\.c:')"
check_empty 'each compression library is included only by the file that wraps it' \
	"$(includes ebpf cbpf filter tools include | grep -E ':[<"](zlib|isa-l|zstd|lz4|lzma)' |
		grep -vE '^filter/codec_(zlib\.c:[0-9]+:<zlib\.h|isal\.c:[0-9]+:<isa-l/igzip_lib\.h|zstd\.c:[0-9]+:<zstd(_errors)?\.h|lz4\.c:[0-9]+:<lz4frame\.h|lzma\.c:[0-9]+:<lzma\.h)>$')"
check_empty 'nothing includes the headers of other libraries' \
	"$(includes ebpf cbpf filter tools include |
		grep -E ':[<"](md[0-9]|rte_|sha)' |
		grep -vE "^$md_wrappers:[0-9]+:<sha[12]\.h>")"

# A source includes its own header first, which proves that it stands alone.
offenders=
for source in ebpf/*.c ebpf/*/*.c cbpf/*.c filter/*.c; do
	header=${source%.c}.h
	[ -f "$header" ] || continue
	first=$(includes "$source" | grep -v '"config\.h"$' | head -n 1)
	[ "${first##*:}" = "\"$header\"" ] || offenders="$offenders $source"
done
check_empty 'each source includes its own header first' "$offenders"
finish
