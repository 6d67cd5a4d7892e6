/* SPDX-License-Identifier: BSD-2-Clause */
/* Built without libbpf: the options are known, and say what is missing. */
#include "config.h"

#include "tools/cbpf2ebpf_kernel.h"
#include "tools/cbpf2ebpf_say.h"

static const char missing[] =
	"built without libbpf: --load, --pin, --attach and --detach need it";

int
kernel_load(const struct translation *t)
{
	(void)t;
	die("%s", missing);
}

void
kernel_use(const struct translation *t, int prog)
{
	(void)t, (void)prog;
}

void
kernel_detach(const struct options *o)
{
	(void)o;
	die("%s", missing);
}
