#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The running kernel's verifier takes what becomes of each expression of expressions.txt,
# and of lists of up to 1000 hosts: for each of its targets, at each level.
. "${srcdir:-.}/tests/support/suite.sh"

tool=$builddir/tools/cbpf2ebpf
list=$(cd "$srcdir" && pwd)/tests/cli/expressions.txt
cd "$scratch" || exit 99
if ! has_libpcap; then
	skip 'built without libpcap: it compiles no expressions'
	finish
fi
if ! echo 'ret #1' | "$tool" --from=bpf_asm --target=xdp --load >out 2>err; then
	skip "nothing can be loaded: $(cat err)"
	finish
fi

# Of a hundred cases TEST_SCALE are tried.
scale=${TEST_SCALE:-100}
n=0
tried()
{
	n=$((n + 1))
	[ $((61 * n % 100)) -lt "$scale" ]
}

# taken WHAT OPTION...: in the file n_taken, or a line for those that were not.
taken()
{
	what=$1
	shift
	for target in socket tc xdp; do
		for level in 0 1 2; do
			tried || continue
			if "$tool" --target=$target -O $level --load "$@" >out 2>err; then
				n_taken=$((n_taken + 1))
			else
				echo "$what, $target, level $level: $(cat err)" >>refused
			fi
		done
	done
}

: >refused
n_taken=0
# 'protochain' is a loop without a bound, which the kernel takes in no form.
grep '^EN10MB	' "$list" | cut -f2- | grep -v protochain >primitives
# And each fifth of them with others.
awk '{ line[NR] = $0 }
	END {
		for (i = 1; i <= NR; i++) {
			print line[i]
			if (i % 5 == 0 && i > 9)
				print "(" line[i] ") and not (" line[i - 9] ") or (" line[i - 4] ")"
		}
	}' primitives >expressions
n_expressions=0
while read -r expression; do
	# libpcap has its own reasons: no VLAN match after MPLS
	"$tool" --to=ddd "$expression" </dev/null >out 2>err || continue
	n_expressions=$((n_expressions + 1))
	taken "$expression" "$expression" </dev/null
done <expressions
check_empty 'every expression is taken' "$(cat refused)"
printf '%d programs of %d expressions taken\n' "$n_taken" "$n_expressions"
check 'there are 400 expressions' test "$n_expressions" -ge 400

# libpcap takes a minute for a thousand hosts: source or destination of IPv4, as it would.
hosts()
{
	python3 - "$1" <<'END'
import sys
n = int(sys.argv[1])
code = [(40, 0, 0, 12), (21, 1, 0, 0x800), (6, 0, 0, 0)]
for offset in 26, 30:
    code.append((32, 0, 0, offset))
    for host in range(n):
        code += [(21, 0, 1, 0xc0a80000 + 3 * host), (6, 0, 0, 262144)]
code.append((6, 0, 0, 0))
print(len(code))
for insn in code:
    print(*insn)
END
}
: >refused
if command -v python3 >/dev/null 2>&1; then
	for count in 1 10 100 500 1000; do
		hosts $count >hosts.ddd
		taken "$count hosts" --from=ddd -f hosts.ddd
	done
else
	skip 'no python3: no lists of hosts'
fi
check_empty 'lists of hosts are taken' "$(cat refused)"
finish
