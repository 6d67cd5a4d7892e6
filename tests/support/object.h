/* SPDX-License-Identifier: BSD-2-Clause */
/* Object files, made by clang from C that a test has. */
#ifndef TESTS_SUPPORT_OBJECT_H
#define TESTS_SUPPORT_OBJECT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Compile text for a target of clang's ("bpf", "bpfeb").  Returns NULL, and *bytes, to be
 * freed, has the object; or why there is none: no clang that can.
 */
const char *object_make(const char *text, const char *target, uint8_t **bytes, size_t *len);

#endif
