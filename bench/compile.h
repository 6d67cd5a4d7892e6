/* SPDX-License-Identifier: BSD-2-Clause */
/* What it takes to make machine code. */
#ifndef BENCH_COMPILE_H
#define BENCH_COMPILE_H

#include <stdbool.h>

/* Prints a table; whether it could.  Where there is no JIT it says so. */
bool bench_compile(void);

#endif
