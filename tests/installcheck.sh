#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: installcheck.sh VERSION DESTDIR BINDIR LIBDIR INCLUDEDIR MANDIR COMPLETIONDIR
#
# What was installed is complete, and a program built with no more than
# 'pkg-config bpfsift' runs with it, linked with the shared library and with
# the static one.
. "${srcdir:-.}/tests/support/suite.sh"

version=$1 destdir=$2 bindir=$2$3 libdir=$2$4 includedir=$2$5 mandir=$2$6 completiondir=$2$7
pc=$libdir/pkgconfig/bpfsift.pc

for file in "$libdir/libbpfsift.so" "$libdir/libbpfsift.so.0" "$libdir/libbpfsift.a" "$pc" \
	"$includedir/bpfsift/ebpf.h" "$includedir/bpfsift/cbpf.h" "$includedir/bpfsift/filter.h" \
	"$mandir/man1/bpfsift.1" "$mandir/man1/cbpf2ebpf.1" "$mandir/man1/ebpfrun.1" \
	"$mandir/man3/libbpfsift.3" "$mandir/man3/bpfsift-ebpf.3" "$mandir/man3/bpfsift-cbpf.3" \
	"$mandir/man3/bpfsift-filter.3" "$mandir/man7/bpf-filter-semantics.7"; do
	check "${file#"$destdir"} is there" test -s "$file"
done
# Each function's page leads to one that has it.
check_empty 'functions without a page, or whose page leads nowhere' "$(
	grep -ohE '\<(ebpf|cbpf|sift)_[a-z0-9_]+\(' "$includedir"/bpfsift/*.h | sort -u |
		while IFS='(' read -r function _; do
			grep -q "^BPFSIFT_API.*[ *]$function(" "$includedir"/bpfsift/*.h || continue
			page=$(sed -n 's/^\.so //p' "$mandir/man3/$function.3")
			grep -qx "\.Fo $function" "$mandir/${page:-none}" || echo "$function"
		done)"
for tool in bpfsift cbpf2ebpf ebpfrun; do
	check "$tool is there" test -x "$bindir/$tool"
	check "$tool's completion is there" test -s "$completiondir/$tool"
	check "$tool runs" env LD_LIBRARY_PATH="$libdir" "$bindir/$tool" --version
done
check_same 'the name that programs look for' libbpfsift.so.0 "$(objdump -p "$libdir/libbpfsift.so" |
	awk '$1 == "SONAME" { print $2 }')"

# Under DESTDIR, bpfsift.pc names a prefix where there is nothing yet.
prefix=$(sed -n 's/^prefix=//p' "$pc")
query()
{
	PKG_CONFIG_PATH=$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} \
		pkg-config "$@" bpfsift | sed "s|\([IL]\)$prefix|\1$destdir$prefix|g"
}
check_same 'its version' "$version" "$(query --modversion)"

cat >"$scratch/consumer.c" <<'END'
#include <bpfsift/filter.h>
#include <stdio.h>

int
main(void)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_LEN, 0),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	static const uint8_t frame[60];
	struct cbpf_prog *prog;
	struct sift_filter *filter;
	struct sift_view view;
	struct ebpf_err err;
	uint32_t verdict;

	if (cbpf_check(insns, 2, CBPF_DIALECT_KERNEL, &prog, &err) < 0 ||
	    sift_filter_new(prog, NULL, &filter, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	sift_view_init(&view, 1, frame, sizeof(frame), 1500);
	sift_filter_batch(filter, &view, 1, &verdict);
	printf("%u\n", (unsigned)verdict);
	sift_filter_free(filter);
	cbpf_prog_free(prog);
	return 0;
}
END
# The manual page's program for those who have libpcap's, beside what it replaces.
sed -n '/^\.\\" embedding:/,/^\.Ed/p' "$mandir/man3/libbpfsift.3" | sed '/^\./d; s/\\e/\\/g' \
	>"$scratch/embedder.c"
check 'the manual has a program for embedders, of 30 lines at most' \
	sh -c "lines=\$(wc -l <'$scratch/embedder.c'); test \$lines -gt 0 -a \$lines -le 30"
sed -e '/cbpf_check(/,/return/d' -e '/sift_view_init/d' -e '/bpfsift\/filter.h/d' \
	-e '/struct \(cbpf_prog\|sift_filter\|sift_view\|ebpf_err\)/d' \
	-e 's/sift_filter_match(filter, &view)/pcap_offline_filter(\&compiled, header, data)/' \
	"$scratch/embedder.c" >"$scratch/replaced.c"

# counts PROGRAM: what it counts in the captures at hand.
counts()
{
	for expression in '' ip 'tcp port 80' 'len > 100 and not udp'; do
		"$1" "$srcdir/tests/data/demo.pcap" "$expression"
	done
}

# The embedder's program, with each library, counts what libpcap's does.
check_embedding()
{
	check 'the program with libpcap alone builds' \
		$CC $MODE_CFLAGS -o "$scratch/replaced" "$scratch/replaced.c" \
		$(pkg-config --cflags --libs libpcap)
	want=$(counts "$scratch/replaced" 2>&1)
	check "it counts something" test "$(printf '%s\n' "$want" | sed -n 3p)" -gt 0
	check "the embedder's program builds with the shared library" \
		$CC $MODE_CFLAGS -o "$scratch/embedder" "$scratch/embedder.c" \
		$(query --cflags --libs) $(pkg-config --cflags --libs libpcap)
	check_same 'and counts the same' "$want" \
		"$(LD_LIBRARY_PATH=$libdir counts "$scratch/embedder" 2>&1)"
	check "the embedder's program builds with the static library" \
		$CC $MODE_CFLAGS -o "$scratch/embedder" "$scratch/embedder.c" \
		$(query --cflags) "$libdir/libbpfsift.a" \
		$(pkg-config --libs $(query --print-requires-private)) \
		$(pkg-config --cflags --libs libpcap)
	check_same 'and counts the same' "$want" "$(counts "$scratch/embedder" 2>&1)"
}

# shellcheck disable=SC2046,SC2086
{
	check 'a program builds with the shared library' \
		$CC $MODE_CFLAGS -std=c11 -o "$scratch/shared" "$scratch/consumer.c" \
		$(query --cflags --libs)
	check_same 'and runs' 1500 "$(LD_LIBRARY_PATH=$libdir "$scratch/shared" 2>&1)"
	# What the library itself needs is shared here: not each system has it as
	# a static library.
	check 'a program builds with the static library' \
		$CC $MODE_CFLAGS -std=c11 -o "$scratch/static" "$scratch/consumer.c" \
		$(query --cflags) "$libdir/libbpfsift.a" \
		$(pkg-config --libs $(query --print-requires-private))
	check_same 'and runs' 1500 "$("$scratch/static" 2>&1)"
}
# shellcheck disable=SC2046,SC2086
if has_libpcap; then
	check_embedding
else
	skip "built without libpcap: the embedder's program was not built"
fi
check_empty 'nor does it need the shared one' \
	"$(objdump -p "$scratch/static" | grep 'NEEDED.*bpfsift')"
finish
