/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/native.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>

#if defined(__x86_64__)
#define ARCH CS_ARCH_X86
#define MODE CS_MODE_64
#elif defined(__aarch64__)
#define ARCH CS_ARCH_ARM64
#define MODE CS_MODE_LITTLE_ENDIAN
#endif
#endif

/* As bytes, 16 a line. */
static void
dump_bytes(const uint8_t *code, size_t n, size_t at, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i % 16 == 0)
			fprintf(out, "%s%8zx:", i > 0 ? "\n" : "", at + i);
		fprintf(out, " %02x", code[i]);
	}
	if (n > 0)
		fputc('\n', out);
}

#ifdef ARCH
static void
dump_code(const uint8_t *code, size_t n, size_t at, FILE *out)
{
	const uint8_t *p = code;
	uint64_t address = at;
	size_t left = n;
	cs_insn *insn;
	csh handle;

	if (cs_open(ARCH, MODE, &handle) != CS_ERR_OK) {
		dump_bytes(code, n, at, out);
		return;
	}
	insn = cs_malloc(handle);
	while (insn != NULL && cs_disasm_iter(handle, &p, &left, &address, insn))
		fprintf(out, "%8" PRIx64 ":  %s%s%s\n", insn->address, insn->mnemonic,
			insn->op_str[0] != '\0' ? " " : "", insn->op_str);
	dump_bytes(p, left, address, out);
	if (insn != NULL)
		cs_free(insn, 1);
	cs_close(&handle);
}
#else
#define dump_code dump_bytes
#endif

int
native_dump(const struct ebpf_prog *prog, FILE *out, struct ebpf_err *err)
{
	struct ebpf_native native = { .size = sizeof(native) };
	int rc = ebpf_prog_native(prog, &native, err);

	if (rc < 0)
		return rc;
	dump_code(native.code, native.starts[0], 0, out);
	for (size_t pc = 0; pc < native.n_insns;) {
		char line[EBPF_DISASM_SIZE];
		size_t slots = ebpf_disasm(&native.insns[pc], native.n_insns - pc, line,
					   sizeof(line));
		size_t from = native.starts[pc], to = native.starts[pc + slots];

		fprintf(out, "%4zu: %s\n", pc, line);
		dump_code(native.code + from, to - from, from, out);
		pc += slots;
	}
	fprintf(out, "further entries:\n");
	dump_code(native.code + native.starts[native.n_insns],
		  native.n - native.starts[native.n_insns], native.starts[native.n_insns], out);
	return 0;
}

/* All of /tmp may write there: nothing that somebody else has put in place is followed. */
int
native_perf_map(const struct ebpf_prog *prog, const char *name, struct ebpf_err *err)
{
	struct ebpf_native native = { .size = sizeof(native) };
	char path[64];
	int fd, rc = ebpf_prog_native(prog, &native, err);
	FILE *map;

	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	map = fd >= 0 ? fdopen(fd, "a") : NULL;
	if (map == NULL) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		snprintf(err->text, sizeof(err->text), "%s: %s", path, strerror(-rc));
		return rc;
	}
	fprintf(map, "%" PRIxPTR " %zx %s\n", (uintptr_t)native.code, native.n, name);
	if (fclose(map) != 0) {
		rc = -errno;
		snprintf(err->text, sizeof(err->text), "%s: %s", path, strerror(-rc));
	}
	return rc;
}
