/* SPDX-License-Identifier: BSD-2-Clause */
/* Built without libelf: the form is known, and says what is missing. */
#include "config.h"

#include "tools/cbpf2ebpf_forms.h"

#include "tools/cbpf2ebpf_say.h"

void
write_elf(FILE *out, const struct translation *t)
{
	(void)out, (void)t;
	die("built without libelf: --to=elf needs it");
}
