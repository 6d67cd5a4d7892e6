/* SPDX-License-Identifier: BSD-2-Clause */
/* The notation of bpftool and the kernel's verifier log, as data. */
#include "ebpf/notation.h"

#include <string.h>

static const char *const templates[] = {
	[EBPF_FORM_ALU_K] = "%d %t %i",
	[EBPF_FORM_ALU_X] = "%d %t %s",
	[EBPF_FORM_NEG] = "%d = -%d",
	[EBPF_FORM_MOVSX] = "%d = (%t)%s",
	[EBPF_FORM_END] = "%D = %t%n %D",
	[EBPF_FORM_JMP_K] = "if %d %t %x goto pc%o",
	[EBPF_FORM_JMP_X] = "if %d %t %s goto pc%o",
	[EBPF_FORM_JA] = "%t pc%o",
	[EBPF_FORM_JA32] = "%t pc%j",
	[EBPF_FORM_CALL] = "call %h",
	[EBPF_FORM_CALL_LOCAL] = "call pc%j",
	[EBPF_FORM_EXIT] = "exit",
	[EBPF_FORM_LDX] = "%D = *(%t *)(%S %o)",
	[EBPF_FORM_ST] = "*(%t *)(%D %o) = %i",
	[EBPF_FORM_STX] = "*(%t *)(%D %o) = %S",
	[EBPF_FORM_ATOMIC] = "lock *(%z *)(%D %o) %t %S",
	[EBPF_FORM_FETCH] = "%S = atomic%y_fetch_%t((%z *)(%D %o), %S)",
	[EBPF_FORM_XCHG] = "%S = atomic%y_%t((%z *)(%D %o), %S)",
	[EBPF_FORM_CMPXCHG] = "r0 = atomic%y_%t((%z *)(%D %o), r0, %S)",
	[EBPF_FORM_LOAD_ACQ] = "%D = load_acquire((%t *)(%S %o))",
	[EBPF_FORM_STORE_REL] = "store_release((%t *)(%D %o), %S)",
	[EBPF_FORM_LDDW] = "%D = %q",
	[EBPF_FORM_LDABS] = "r0 = *(%t *)skb[%i]",
	[EBPF_FORM_LDIND] = "r0 = *(%t *)skb[%S + %i]",
};

const char *
ebpf_notation(enum ebpf_op row)
{
	if (row == EBPF_OP_LDDW_MAP_VALUE || row == EBPF_OP_LDDW_MAP_IDX_VALUE)
		return "%D = %t[%i][%m]";
	if (ebpf_ops[row].form == EBPF_FORM_LDDW && row != EBPF_OP_LDDW)
		return "%D = %t[%i]";
	return templates[ebpf_ops[row].form];
}

static const char *const helper_names[] = {
#define H(id, name) [id] = #name,
#include "ebpf/helper.def"
};

enum { N_HELPER_NAMES = sizeof(helper_names) / sizeof(helper_names[0]) };

const char *
ebpf_helper_name(int32_t id)
{
	return id >= 0 && id < N_HELPER_NAMES ? helper_names[id] : NULL;
}

int32_t
ebpf_helper_by_name(const char *name, size_t len)
{
	for (int32_t id = 0; id < N_HELPER_NAMES; id++) {
		if (helper_names[id] != NULL && strlen(helper_names[id]) == len &&
		    memcmp(helper_names[id], name, len) == 0)
			return id;
	}
	return -1;
}

const char *
ebpf_size_name(uint8_t code)
{
	static const char *const names[] = {
		[EBPF_W >> 3] = "u32",
		[EBPF_H >> 3] = "u16",
		[EBPF_B >> 3] = "u8",
		[EBPF_DW >> 3] = "u64",
	};

	return names[code >> 3 & 3];
}
