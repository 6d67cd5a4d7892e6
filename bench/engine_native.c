/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The classic program as straight C, compiled for this machine: called for
 * each packet, and inlined into a loop over packets that prefetches.
 */
#include "config.h"

#include "bench/c_form.h"
#include "bench/engine.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct native {
	void *library;
	uint64_t (*filter)(const uint8_t *p, uint64_t len);
	size_t (*many)(const struct sift_view *views, size_t n);
};

/*
 * As far ahead as our own loops, and what most filters read of a header: from the
 * type on, up to the ports.
 */
enum { VIEWS_AHEAD = 64, DATA_AHEAD = 32, FIRST_BYTE = 12, LAST_BYTE = 37 };

static void
write_loop(FILE *out)
{
	fprintf(out,
		"uint64_t many(const char *v, uint64_t n)\n"
		"{\n"
		"\tuint64_t kept = 0;\n"
		"\tfor (uint64_t i = 0; i < n; i++, v += %zu) {\n"
		"\t\t__builtin_prefetch(v + %zu);\n"
		"\t\tif (i + %d < n) {\n"
		"\t\t\tconst char *next = *(const char *const *)(v + %zu);\n"
		"\t\t\t__builtin_prefetch(next + %d);\n"
		"\t\t\t__builtin_prefetch(next + %d);\n"
		"\t\t}\n"
		"\t\tkept += filter(*(const uint8_t *const *)(v + %zu),\n"
		"\t\t\t\t*(const uint32_t *)(v + %zu)) != 0;\n"
		"\t}\n"
		"\treturn kept;\n"
		"}\n",
		sizeof(struct sift_view), VIEWS_AHEAD * sizeof(struct sift_view), DATA_AHEAD,
		DATA_AHEAD * sizeof(struct sift_view) + offsetof(struct sift_view, data),
		FIRST_BYTE, LAST_BYTE,
		offsetof(struct sift_view, data), offsetof(struct sift_view, caplen));
}

static int
run_compiler(const char *source, const char *library)
{
	const char *cc = getenv("CC") != NULL ? getenv("CC") : "cc";
	pid_t child = fork();
	int status;

	if (child == 0) {
		execlp(cc, cc, "-O3", "-march=native", "-w", "-shared", "-fPIC",
		       "-fno-semantic-interposition", "-o", library, source, (char *)NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

static int
compile(const struct cbpf_insn *insns, size_t n_insns, const char *dir, struct native *native)
{
	char source[64], library[64];
	FILE *out;
	int rc;

	snprintf(source, sizeof(source), "%s/filter.c", dir);
	snprintf(library, sizeof(library), "%s/filter.so", dir);
	if ((out = fopen(source, "w")) == NULL)
		return -1;
	/* functions begin at multiples of 16 */
	fprintf(out, "__asm__(\".text\\n.skip %u, 0xcc\\n\");\n", 16 * bench_process);
	c_form_write(insns, n_insns, out);
	write_loop(out);
	rc = fclose(out) == 0 ? run_compiler(source, library) : -1;
	if (rc == 0)
		native->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	unlink(source);
	unlink(library);
	return native->library != NULL ? 0 : -1;
}

static void
release(void *state)
{
	struct native *native = state;

	if (native->library != NULL)
		dlclose(native->library);
	free(native);
}

static void *
prepare(const struct cbpf_insn *insns, size_t n_insns)
{
	char dir[] = "/tmp/bench-XXXXXX";
	struct native *native = calloc(1, sizeof(*native));
	int rc;

	if (native == NULL || mkdtemp(dir) == NULL) {
		free(native);
		return NULL;
	}
	rc = compile(insns, n_insns, dir, native);
	rmdir(dir);
	if (rc == 0) {
		void *filter = dlsym(native->library, "filter");
		void *many = dlsym(native->library, "many");

		memcpy(&native->filter, &filter, sizeof(filter));
		memcpy(&native->many, &many, sizeof(many));
	}
	if (rc == 0 && native->filter != NULL && native->many != NULL)
		return native;
	release(native);
	return NULL;
}

static size_t
run_called(void *state, const struct sift_view *views, size_t n)
{
	const struct native *native = state;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += native->filter(views[i].data, views[i].caplen) != 0;
	return kept;
}

static size_t
run_inlined(void *state, const struct sift_view *views, size_t n)
{
	return ((const struct native *)state)->many(views, n);
}

const struct engine engine_native = { "native", prepare, run_called, release, NULL };
const struct engine engine_native_loop = { "native loop", prepare, run_inlined, release, NULL };
