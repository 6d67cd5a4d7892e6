# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# For the scripts that run bpfsift, after suite.sh.
#
#   BPFSIFT             the tool to try; another one for trying the scripts
#   outcome COMMAND...  what it says and how it ends, in one text

# The libtool wrapper beside it would take longer than the run that it starts.
if [ -z "${BPFSIFT-}" ] && [ -x "$builddir/tools/.libs/bpfsift" ]; then
	LD_LIBRARY_PATH=$builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
	export LD_LIBRARY_PATH
	BPFSIFT=$builddir/tools/.libs/bpfsift
fi
: "${BPFSIFT:=$builddir/tools/bpfsift}"

outcome()
{
	"$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null
	outcome_status=$?
	sed 's/^/stdout: /' "$scratch/stdout"
	# What confines it is the machine's matter.
	sed -E '/^  confined by /d; s/^[^ ]*(bpfsift|tcpdump): //; s/^/stderr: /' "$scratch/stderr"
	echo "status: $outcome_status"
}
