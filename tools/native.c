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
#include <dlfcn.h>

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
#define NAME_OF(major) NAME_OF_NUMBER(major)
#define NAME_OF_NUMBER(major) "libcapstone.so." #major

/*
 * Capstone, looked for when it is wanted: it is large, and would take a third of the time
 * that a short run takes.
 */
static struct {
	__typeof__(cs_open) *open;
	__typeof__(cs_close) *close;
	__typeof__(cs_malloc) *malloc;
	__typeof__(cs_free) *free;
	__typeof__(cs_disasm_iter) *disasm_iter;
} capstone;

/* The address of a function in it; ISO C has no cast from an object's. */
static bool
find(void *library, const char *name, void *function)
{
	void *address = dlsym(library, name);

	memcpy(function, &address, sizeof(address));
	return address != NULL;
}

bool
native_prepare(void)
{
	void *library = capstone.open == NULL
				? dlopen(NAME_OF(CS_API_MAJOR), RTLD_NOW | RTLD_LOCAL)
				: NULL;

	return capstone.open != NULL ||
	       (library != NULL && find(library, "cs_close", &capstone.close) &&
		find(library, "cs_malloc", &capstone.malloc) &&
		find(library, "cs_free", &capstone.free) &&
		find(library, "cs_disasm_iter", &capstone.disasm_iter) &&
		find(library, "cs_open", &capstone.open));
}

static void
dump_code(const uint8_t *code, size_t n, size_t at, FILE *out)
{
	const uint8_t *p = code;
	uint64_t address = at;
	size_t left = n;
	cs_insn *insn;
	csh handle;

	if (!native_prepare() || capstone.open(ARCH, MODE, &handle) != CS_ERR_OK) {
		dump_bytes(code, n, at, out);
		return;
	}
	insn = capstone.malloc(handle);
	while (insn != NULL && capstone.disasm_iter(handle, &p, &left, &address, insn))
		fprintf(out, "%8" PRIx64 ":  %s%s%s\n", insn->address, insn->mnemonic,
			insn->op_str[0] != '\0' ? " " : "", insn->op_str);
	dump_bytes(p, left, address, out);
	if (insn != NULL)
		capstone.free(insn, 1);
	capstone.close(&handle);
}
#else
#define dump_code dump_bytes

bool
native_prepare(void)
{
	return false;
}
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
native_perf_map_open(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%ld.map", (long)pid);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int
native_perf_map(const struct ebpf_prog *prog, const char *name, int fd, struct ebpf_err *err)
{
	struct ebpf_native native = { .size = sizeof(native) };
	int rc = ebpf_prog_native(prog, &native, err);
	FILE *map;

	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = fd < 0 ? fd : 0;
	map = fd >= 0 ? fdopen(fd, "a") : NULL;
	if (map == NULL && fd >= 0) {
		rc = -errno;
		close(fd);
	}
	if (map != NULL) {
		fprintf(map, "%" PRIxPTR " %zx %s\n", (uintptr_t)native.code, native.n, name);
		if (fclose(map) != 0)
			rc = -errno;
	}
	if (rc < 0)
		snprintf(err->text, sizeof(err->text), "/tmp/perf-%ld.map: %s", (long)getpid(),
			 strerror(-rc));
	return rc;
}
