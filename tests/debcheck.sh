#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: debcheck.sh DIRECTORY VERSION
#
# The Debian packages in DIRECTORY have no fault that lintian calls an error, and what is in them
# works where they are unpacked together.
. "${srcdir:-.}/tests/support/suite.sh"
packages=$(cd "$1" && pwd) version=$2
srcdir=$(cd "$srcdir" && pwd)

for changes in "$packages"/bpfsift_"$version"-*.changes; do
	check "${changes##*/} is there" test -s "$changes"
	check 'lintian finds no error' lintian --allow-root --fail-on error "$changes"
done
check_same 'three packages' 3 "$(find "$packages" -name '*bpfsift*.deb' ! -name '*-dbgsym*' | wc -l |
	tr -d ' ')"
root=$scratch/root
for package in "$packages"/*bpfsift*_"$version"-*.deb; do
	check "${package##*/} can be unpacked" dpkg -x "$package" "$root"
done
libdir=$(dirname "$(find "$root" -name 'libbpfsift.so.0')")
run()
{
	tool=$1
	shift
	LD_LIBRARY_PATH=$libdir "$root/usr/bin/$tool" "$@" 2>&1
}
check_same 'bpfsift says its version' "bpfsift version $version" "$(run bpfsift --version | head -n 1)"
check_same 'bpfsift filters' '179 packets' \
	"$(run bpfsift -r "$srcdir/tests/data/demo.pcap" --count tcp | tail -n 1)"
check_same 'cbpf2ebpf translates' 1 "$(printf '1\n6 0 0 0\n' | run cbpf2ebpf --from=ddd | grep -c exit)"
check_same 'ebpfrun runs' 5 "$(echo 'b700000005000000 9500000000000000' | run ebpfrun)"
check_same 'a program for the library links' 0 "$(
	echo '#include <bpfsift/filter.h>
	int main(void) { return sift_libpcap_version() == 0; }' >"$scratch/consumer.c"
	${CC:-cc} -I "$root/usr/include" -o "$scratch/consumer" "$scratch/consumer.c" \
		-L "$libdir" -lbpfsift && LD_LIBRARY_PATH=$libdir "$scratch/consumer"
	echo $?)"
for file in usr/share/man/man1/bpfsift.1.gz usr/share/man/man3/libbpfsift.3.gz \
	usr/share/man/man7/bpf-filter-semantics.7.gz usr/share/doc/libbpfsift0/copyright \
	usr/share/bash-completion/completions/bpfsift; do
	check "$file is there" test -s "$root/$file"
done
finish
