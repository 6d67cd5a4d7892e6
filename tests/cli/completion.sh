#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What bash offers for the command lines of the three programs.
. "${srcdir:-.}/tests/support/suite.sh"

if ! command -v bash >/dev/null 2>&1; then
	skip 'no bash: nothing completed'
	finish
fi
srcdir=$(cd "$srcdir" && pwd)

# offers TOOL WORD...: what the last word can become, on one line.
offers()
{
	# shellcheck disable=SC2016
	bash -c '
		source "$0/completions/$1" || exit
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		"_$1"
		echo "${COMPREPLY[*]}"' "$srcdir" "$@" 2>&1
}

cd "$scratch" || exit 99
: >web.pcap
: >'web 2.pcap'
check_same 'bpfsift: an option' '--follow --format=' "$(offers bpfsift --fo)"
check_same 'bpfsift: all options' yes "$(offers bpfsift - | grep -q -- '-Z .*--version' && echo yes)"
check_same 'bpfsift: a value' 'interp' "$(offers bpfsift --engine = i)"
check_same 'bpfsift: values' 'auto interp jit kernel' "$(offers bpfsift --engine =)"
check_same 'bpfsift: a value behind a blank' 'pcap pcapng' "$(offers bpfsift --format p)"
check_same 'bpfsift: files' 'web 2.pcap web.pcap' \
	"$(offers bpfsift -r we | tr ' ' '\n' | sort | paste -s -d ' ' - | sed 's/2.pcap web web.pcap/web 2.pcap web.pcap/')"
check_same 'bpfsift: a user' root "$(offers bpfsift -Z roo | tr ' ' '\n' | grep -x root)"
check_same 'bpfsift: a command' gzip "$(offers bpfsift -z gzi | tr ' ' '\n' | grep -x gzip | head -n 1)"
check_same 'bpfsift: nothing for a number' '' "$(offers bpfsift -c '')"
check_same 'bpfsift: the expression' 'port portrange' "$(offers bpfsift -r web.pcap tcp por)"
if [ -d /sys/class/net/lo ]; then
	check_same 'bpfsift: an interface' lo "$(offers bpfsift -i l | tr ' ' '\n' | grep -x lo)"
else
	skip 'no interface lo in /sys/class/net'
fi
check_same 'cbpf2ebpf: options' '--target= --to= --trace-passes' "$(offers cbpf2ebpf --t)"
check_same 'cbpf2ebpf: a value' 'xdp' "$(offers cbpf2ebpf --target = x)"
check_same 'cbpf2ebpf: a file' web.pcap "$(offers cbpf2ebpf -f web.)"
check_same 'ebpfrun: options' '--dialect= --dump --dump-native' "$(offers ebpfrun --d)"
check_same 'ebpfrun: keys' 'mark= mac_header=' "$(offers ebpfrun --meta = ma)"
check_same 'ebpfrun: no expression' '' "$(offers ebpfrun por)"

# Each is loaded for its program, by bash itself.
for tool in bpfsift cbpf2ebpf ebpfrun; do
	check_same "$tool: its function" "complete -F _$tool $tool" \
		"$(bash -c "source '$srcdir/completions/$tool'; complete -p $tool" 2>&1)"
done
finish
