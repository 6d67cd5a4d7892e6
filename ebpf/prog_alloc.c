/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of program objects.
 *
 * The part that a run reads lies in whole pages of its own, so that it shares
 * a page with nothing else and can be made read-only; the rest is on the heap.
 */
#include "config.h"

#include "ebpf/prog_alloc.h"

#include "ebpf/extend.h"
#include "ebpf/jit/jit.h"
#include "ebpf/link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What an untrusted program has in place of the fast interpreter. */
static uint64_t
run_refused(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	(void)prog;
	(void)r1;
	(void)r2;
	return 0;
}

size_t
ebpf_round_to_pages(size_t n_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n_bytes + page - 1) / page * page;
}

/* A program has at most 8 * EBPF_MAXINSNS slots: no product wraps. */
static size_t
bytes_for(size_t n_insns)
{
	return ebpf_round_to_pages(sizeof(struct ebpf_prog) +
				   (n_insns + 1) * sizeof(struct ebpf_decoded));
}

static void
aux_free(struct ebpf_prog_aux *aux)
{
	ebpf_jit_free(aux);
	ebpf_counters_destroy(&aux->counters);
	pthread_mutex_destroy(&aux->entry_lock);
	ebpf_extension_destroy(&aux->extension);
	ebpf_text_destroy(&aux->text);
	ebpf_link_free(&aux->link);
	free(aux->insns);
	free(aux);
}

static struct ebpf_prog_aux *
aux_new(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns)
{
	struct ebpf_prog_aux *aux = calloc(1, sizeof(*aux));

	if (aux == NULL)
		return NULL;
	aux->insns = calloc(n_insns, sizeof(*insns));
	if (aux->insns == NULL)
		goto fail;
	if (pthread_mutex_init(&aux->entry_lock, NULL) != 0)
		goto fail;
	if (ebpf_extension_init(&aux->extension) < 0)
		goto fail_lock;
	if (ebpf_counters_init(&aux->counters) < 0)
		goto fail_extension;
	memcpy(aux->insns, insns, n_insns * sizeof(*insns));
	aux->n_insns = n_insns;
	aux->type = type;
	atomic_init(&aux->n_refs, 1);
	return aux;
fail_extension:
	ebpf_extension_destroy(&aux->extension);
fail_lock:
	pthread_mutex_destroy(&aux->entry_lock);
fail:
	free(aux->insns);
	free(aux);
	return NULL;
}

struct ebpf_prog *
ebpf_prog_alloc(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns)
{
	struct ebpf_prog_aux *aux = aux_new(type, insns, n_insns);
	size_t n_bytes = bytes_for(n_insns);
	struct ebpf_prog *prog;

	if (aux == NULL)
		return NULL;
	/* all of it is written at once: no page is left to be asked for by a fault */
	prog = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (prog == MAP_FAILED) {
		aux_free(aux);
		return NULL;
	}
	aux->n_bytes = n_bytes;
	atomic_init(&prog->run, run_refused);
	prog->uncounted = prog->engine = run_refused;
	prog->mem_size = EBPF_ANY_SIZE;
	prog->n_insns = (uint32_t)n_insns;
	prog->aux = aux;
	return prog;
}

struct ebpf_prog *
ebpf_prog_realloc(struct ebpf_prog *prog, size_t n_insns)
{
	struct ebpf_prog_aux *aux = prog->aux;
	size_t n_bytes = bytes_for(n_insns);

	if (n_bytes != aux->n_bytes) {
		prog = mremap(prog, aux->n_bytes, n_bytes, MREMAP_MAYMOVE);
		if (prog == MAP_FAILED)
			return NULL;
		aux->n_bytes = n_bytes;
	}
	prog->n_insns = (uint32_t)n_insns;
	return prog;
}

void
ebpf_prog_free(struct ebpf_prog *prog)
{
	struct ebpf_prog_aux *aux = prog->aux;

	munmap(prog, aux->n_bytes);
	aux_free(aux);
}
