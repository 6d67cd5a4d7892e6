/* SPDX-License-Identifier: BSD-2-Clause */
/* From what a program is loaded with to what the verifier proves of it. */
#include "config.h"

#include "ebpf/prove.h"

#include "ebpf/err.h"
#include "ebpf/extend.h"
#include "ebpf/fill.h"
#include "ebpf/map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Indices of maps in the verifier have 16 bits. */
#define MAX_MAPS 0xffff

/* What a helper wants of one argument can be told from those before it. */
static bool
is_sound(const struct ebpf_helper *h)
{
	bool has_map = false;

	for (size_t i = 0; i < 5; i++) {
		uint8_t before = i > 0 ? h->args[i - 1] : EBPF_ARG_NONE;
		uint8_t arg = h->args[i];
		bool is_size = arg == EBPF_ARG_SIZE || arg == EBPF_ARG_SIZE_OR_ZERO;
		bool was_mem = before == EBPF_ARG_MEM_READ || before == EBPF_ARG_MEM_WRITE;

		if (arg > EBPF_ARG_ANYTHING || is_size != was_mem)
			return false;
		if ((arg == EBPF_ARG_MAP_KEY || arg == EBPF_ARG_MAP_VALUE) && !has_map)
			return false;
		has_map |= arg == EBPF_ARG_MAP;
	}
	if (h->args[4] == EBPF_ARG_MEM_READ || h->args[4] == EBPF_ARG_MEM_WRITE)
		return false;
	return h->ret <= EBPF_RET_MAP_VALUE_OR_NULL &&
	       (h->ret != EBPF_RET_MAP_VALUE_OR_NULL || has_map);
}

static int
take_helpers(const struct ebpf_prog_type *type, struct ebpf_verify_env *env, struct ebpf_err *err)
{
	struct ebpf_verify_helper *helpers = calloc(type->n_helpers + 1, sizeof(*helpers));

	if (helpers == NULL)
		return ebpf_err_set(err, -ENOMEM, "verify: out of memory");
	env->helpers = helpers;
	for (size_t i = 0; i < type->n_helpers; i++) {
		const struct ebpf_helper *h = &type->helpers[i];

		if (!is_sound(h))
			return ebpf_err_set(err, -EINVAL,
					    "helper %" PRId32 " (%s): arguments that cannot be proven",
					    h->id, h->name);
		helpers[i] = (struct ebpf_verify_helper){
			.id = h->id,
			.name = h->name,
			.ret = h->ret,
			.is_tail_call = h->fn == NULL,
		};
		memcpy(helpers[i].args, h->args, sizeof(h->args));
	}
	env->n_helpers = type->n_helpers;
	return 0;
}

static int
take_maps(const struct ebpf_link *link, struct ebpf_verify_env *env, struct ebpf_err *err)
{
	struct ebpf_verify_map *maps;

	if (link->n_maps > MAX_MAPS)
		return ebpf_err_set(err, -E2BIG, "program with %zu maps, limit is %d", link->n_maps,
				    MAX_MAPS);
	if ((maps = calloc(link->n_maps + 1, sizeof(*maps))) == NULL)
		return ebpf_err_set(err, -ENOMEM, "verify: out of memory");
	for (size_t i = 0; i < link->n_maps; i++) {
		const struct ebpf_map *map = link->maps[i];
		bool has_direct = ebpf_map_direct(map) != NULL;

		maps[i] = (struct ebpf_verify_map){
			.fd = link->map_fds[i],
			.kind = map->opts.type == EBPF_MAP_PROG_ARRAY ? EBPF_VERIFY_MAP_PROGS
								      : EBPF_VERIFY_MAP_DATA,
			.read_only = map->opts.flags & EBPF_MAP_RDONLY_PROG,
			.direct_value = has_direct,
			.key_size = map->opts.key_size,
			.value_size = map->opts.value_size,
			.n_values = has_direct,
		};
	}
	env->maps = maps;
	env->n_maps = link->n_maps;
	return 0;
}

/* And, for a program in the place of one, what that is entered with. */
static int
take_functions(const struct ebpf_extension *extension, struct ebpf_verify_env *env,
	       struct ebpf_err *err)
{
	struct ebpf_verify_global *globals = calloc(extension->n_globals + 1, sizeof(*globals));

	if (globals == NULL)
		return ebpf_err_set(err, -ENOMEM, "verify: out of memory");
	for (size_t i = 0; i < extension->n_globals; i++) {
		globals[i].start = extension->globals[i].start;
		memcpy(globals[i].args, extension->globals[i].args, sizeof(globals[i].args));
	}
	env->globals = globals;
	env->n_globals = extension->n_globals;
	env->entry_args = ebpf_extension_args(extension);
	if (env->entry_args != NULL && env->n_ctx_fields == 0)
		env->mem_size = (size_t)extension->dst->mem_size;
	return 0;
}

int
ebpf_prove_env(const struct ebpf_link *link, const struct ebpf_extension *extension,
	       const struct ebpf_load_opts *opts, struct ebpf_verify_env *env,
	       struct ebpf_err *err)
{
	const struct ebpf_prog_type *type = &link->type;
	int rc;

	*env = (struct ebpf_verify_env){
		.ctx_fields = type->ctx_fields,
		.n_ctx_fields = type->n_ctx_fields,
		.mem_size = (size_t)opts->mem_size,
		.rfc9669 = type->rfc9669,
		.addresses_may_leak = opts->verify != EBPF_VERIFY_NO_LEAKS,
		.has_packet_loads = type->expand != NULL,
		.log = opts->log,
		.log_arg = opts->log_arg,
	};
	if ((rc = take_helpers(type, env, err)) < 0 || (rc = take_maps(link, env, err)) < 0 ||
	    (extension != NULL && (rc = take_functions(extension, env, err)) < 0))
		ebpf_prove_env_free(env);
	return rc;
}

void
ebpf_prove_env_free(struct ebpf_verify_env *env)
{
	free((void *)(uintptr_t)env->helpers);
	free((void *)(uintptr_t)env->maps);
	free((void *)(uintptr_t)env->globals);
	env->helpers = NULL;
	env->maps = NULL;
	env->globals = NULL;
}

/*
 * Programs whose runs may show addresses may read stack that they have not
 * written, as the kernel lets those of its administrator: here they find 0.
 */
int
ebpf_prove(const struct ebpf_link *link, const struct ebpf_extension *extension,
	   const struct ebpf_insn *insns, size_t n_insns, const struct ebpf_load_opts *opts,
	   struct ebpf_proof *proof, struct ebpf_err *err)
{
	struct ebpf_verify_env env;
	int rc = ebpf_prove_env(link, extension, opts, &env, err);

	proof->wants_fill = false;
	if (rc < 0)
		return rc;
	rc = ebpf_verify(insns, n_insns, &env, &proof->verified, err);
	if (rc == -ENODATA && env.addresses_may_leak && ebpf_can_fill(insns, n_insns)) {
		proof->wants_fill = env.stack_is_zeroed = true;
		rc = ebpf_verify(insns, n_insns, &env, &proof->verified, err);
	}
	ebpf_prove_env_free(&env);
	return rc == -ENODATA ? -EACCES : rc;
}
