/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The readers of classic programs.  The first byte chooses the form; what is read is
 * written in each form and read again, which gives the same instructions.
 */
#include <bpfsift/cbpf.h>

#include <string.h>

#include "fuzz/fuzz.h"

static const enum cbpf_form forms[] = {
	CBPF_FORM_AUTO, CBPF_FORM_D,       CBPF_FORM_DD,  CBPF_FORM_DDD,
	CBPF_FORM_XT_BPF, CBPF_FORM_BPF_ASM, CBPF_FORM_HEX, CBPF_FORM_RAW,
};

enum { N_FORMS = sizeof(forms) / sizeof(forms[0]) };

/* Of these forms all fields come back. */
static void
check_again(const struct cbpf_insn *insns, size_t n, enum cbpf_form form)
{
	struct cbpf_insn *again;
	struct ebpf_err err;
	size_t len, n_again;
	char *text;

	if (cbpf_print(insns, n, form, &text, &len, &err) < 0)
		return;
	FUZZ_MUST(cbpf_read(text, len, form, &again, &n_again, &err) == 0);
	FUZZ_MUST(n_again == n && memcmp(again, insns, n * sizeof(*insns)) == 0);
	free(again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum cbpf_form whole[] = { CBPF_FORM_DD, CBPF_FORM_DDD, CBPF_FORM_HEX,
						CBPF_FORM_RAW };
	struct cbpf_insn *insns;
	struct cbpf_prog *prog;
	struct ebpf_err err;
	size_t n, len;
	char *text;

	if (size == 0 || cbpf_read((const char *)data + 1, size - 1, forms[data[0] % N_FORMS],
				   &insns, &n, &err) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		check_again(insns, n, whole[i]);
	for (size_t i = 1; i < N_FORMS; i++)
		if (cbpf_print(insns, n, forms[i], &text, &len, &err) == 0)
			free(text);
	for (int dialect = CBPF_DIALECT_KERNEL; dialect <= CBPF_DIALECT_PCAP; dialect++)
		if (cbpf_check(insns, n, (enum cbpf_dialect)dialect, &prog, &err) == 0)
			cbpf_prog_free(prog);
	free(insns);
	return 0;
}
