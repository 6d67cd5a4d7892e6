/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/cbpf2ebpf_options.h"

#include "tools/cbpf2ebpf_file.h"
#include "tools/cbpf2ebpf_say.h"

#include <bpfsift/filter.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What tcpdump's -s 0 means, and its default. */
#define MAX_SNAPLEN 262144u

static const char version_text[] = "cbpf2ebpf " PACKAGE_VERSION "\n";

static const char help_text[] =
	"usage: cbpf2ebpf [options] [EXPRESSION | -f FILE]\n"
	"\n"
	"Translate a classic BPF program: an expression of pcap-filter(7), a file, or\n"
	"standard input.\n"
	"\n"
	"  -y LINKTYPE           link type of the packets (default EN10MB)\n"
	"  -s SNAPLEN            what an expression returns for packets that it accepts\n"
	"                        (default 262144)\n"
	"  -O LEVEL              0: instruction by instruction; 1: optimised in linear\n"
	"                        time; 2 (default): all that is known\n"
	"  --trace-passes        write the program to standard error after each pass\n"
	"  --dialect=DIALECT     kernel (default), pcap: whose rules the program obeys\n"
	"  --from=FORM           auto (default), expr, d, dd, ddd, xt_bpf, bpf_asm, hex, raw\n"
	"  --target=TARGET       packet (default), buffer, socket, tc, xdp: how packet\n"
	"                        bytes are reached\n"
	"  --match=ACTION        what tc and xdp do with packets that the filter keeps\n"
	"                        (default ok, pass)\n"
	"  --miss=ACTION         and with all others (default shot, drop)\n"
	"  --to=FORM             asm (default), c, hex, raw, json, dot, elf; or, classic\n"
	"                        again, d, dd, ddd, xt_bpf, bpf_asm\n"
	"  --side-by-side        with asm: the classic instruction that each came from\n"
	"  --counter             with elf: count packets and bytes that match, in a map\n"
	"  --function=NAME       with c: a function of that name rather than an array\n"
	"  --inline              what ends the program leads to its end instead, where\n"
	"                        other code follows\n"
	"  --classic             with dot: draw the classic program\n"
	"  --load                have the running kernel check the program (socket, tc and\n"
	"                        xdp); it is written only where --to or -o is given\n"
	"  --log                 and show what its verifier says\n"
	"  --pin=PATH            load it and keep it there\n"
	"  --attach=INTERFACE    load it and attach it (tc and xdp; needs --match, --miss);\n"
	"                        for tc INTERFACE/egress is the other way\n"
	"  --detach=INTERFACE    take it off again; nothing is read or written\n"
	"  --cpu=VERSION         v1, v2, v3 (default), v4: instructions that may be used\n"
	"  --no-pcap-opt         compile the expression without libpcap's optimiser\n"
	"  -f FILE               read the program, or the expression, from there\n"
	"  -o FILE               write there: all of it or, on any error, nothing\n"
	"  -h, --help            this\n"
	"  --version\n";

struct choice {
	const char *name;
	int value;
};

static const struct choice dialects[] = {
	{ "kernel", CBPF_DIALECT_KERNEL },
	{ "pcap", CBPF_DIALECT_PCAP },
	{ NULL, 0 },
};

static const struct choice froms[] = {
	{ "auto", CBPF_FORM_AUTO },
	{ "expr", FROM_EXPR },
	{ "d", CBPF_FORM_D },
	{ "dd", CBPF_FORM_DD },
	{ "ddd", CBPF_FORM_DDD },
	{ "xt_bpf", CBPF_FORM_XT_BPF },
	{ "bpf_asm", CBPF_FORM_BPF_ASM },
	{ "hex", CBPF_FORM_HEX },
	{ "raw", CBPF_FORM_RAW },
	{ NULL, 0 },
};

static const struct choice tos[] = {
	{ "asm", TO_ASM },
	{ "c", TO_C },
	{ "hex", TO_HEX },
	{ "raw", TO_RAW },
	{ "json", TO_JSON },
	{ "dot", TO_DOT },
	{ "elf", TO_ELF },
	{ "d", CBPF_FORM_D },
	{ "dd", CBPF_FORM_DD },
	{ "ddd", CBPF_FORM_DDD },
	{ "xt_bpf", CBPF_FORM_XT_BPF },
	{ "bpf_asm", CBPF_FORM_BPF_ASM },
	{ NULL, 0 },
};

static const struct choice targets[] = {
	{ "packet", CBPF_TARGET_PACKET },
	{ "buffer", CBPF_TARGET_BUFFER },
	{ "socket", CBPF_TARGET_SOCKET },
	{ "tc", CBPF_TARGET_TC },
	{ "xdp", CBPF_TARGET_XDP },
	{ NULL, 0 },
};

/* TC_ACT_* and XDP_* of the kernel's interface. */
static const struct choice tc_actions[] = {
	{ "unspec", -1 },    { "ok", 0 },      { "reclassify", 1 }, { "shot", 2 },
	{ "pipe", 3 },       { "stolen", 4 },  { "queued", 5 },     { "repeat", 6 },
	{ "redirect", 7 },   { "trap", 8 },    { NULL, 0 },
};
static const struct choice xdp_actions[] = {
	{ "aborted", 0 }, { "drop", 1 }, { "pass", 2 }, { "tx", 3 }, { "redirect", 4 }, { NULL, 0 },
};

static const struct choice cpus[] = {
	{ "v1", CBPF_CPU_V1 }, { "v2", CBPF_CPU_V2 }, { "v3", CBPF_CPU_V3 },
	{ "v4", CBPF_CPU_V4 }, { NULL, 0 },
};

static const struct choice levels[] = {
	{ "0", CBPF_LEVEL_0 },
	{ "1", CBPF_LEVEL_1 },
	{ "2", CBPF_LEVEL_2 },
	{ NULL, 0 },
};

static const char *
name_of(const struct choice *choices, int value)
{
	while (choices->value != value)
		choices++;
	return choices->name;
}

const char *
dialect_name(enum cbpf_dialect dialect)
{
	return name_of(dialects, (int)dialect);
}

const char *
target_name(enum cbpf_target target)
{
	return name_of(targets, (int)target);
}

const char *
cpu_name(enum cbpf_cpu cpu)
{
	return name_of(cpus, (int)cpu);
}

const char *
input_name(const struct options *o)
{
	if (o->expression != NULL)
		return "expression";
	return o->in != NULL ? o->in : "stdin";
}

enum {
	OPT_DIALECT = 256,
	OPT_FROM,
	OPT_TARGET,
	OPT_MATCH,
	OPT_MISS,
	OPT_TO,
	OPT_LOAD,
	OPT_LOG,
	OPT_PIN,
	OPT_ATTACH,
	OPT_DETACH,
	OPT_CPU,
	OPT_NO_PCAP_OPT,
	OPT_SIDE_BY_SIDE,
	OPT_CLASSIC,
	OPT_COUNTER,
	OPT_FUNCTION,
	OPT_INLINE,
	OPT_TRACE_PASSES,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "dialect", required_argument, NULL, OPT_DIALECT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "target", required_argument, NULL, OPT_TARGET },
	{ "match", required_argument, NULL, OPT_MATCH },
	{ "miss", required_argument, NULL, OPT_MISS },
	{ "to", required_argument, NULL, OPT_TO },
	{ "load", no_argument, NULL, OPT_LOAD },
	{ "log", no_argument, NULL, OPT_LOG },
	{ "pin", required_argument, NULL, OPT_PIN },
	{ "attach", required_argument, NULL, OPT_ATTACH },
	{ "detach", required_argument, NULL, OPT_DETACH },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "no-pcap-opt", no_argument, NULL, OPT_NO_PCAP_OPT },
	{ "side-by-side", no_argument, NULL, OPT_SIDE_BY_SIDE },
	{ "classic", no_argument, NULL, OPT_CLASSIC },
	{ "counter", no_argument, NULL, OPT_COUNTER },
	{ "function", required_argument, NULL, OPT_FUNCTION },
	{ "inline", no_argument, NULL, OPT_INLINE },
	{ "trace-passes", no_argument, NULL, OPT_TRACE_PASSES },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int
choose(const char *option, const struct choice *choices, const char *name)
{
	char names[128] = "";

	for (const struct choice *c = choices; c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			return c->value;
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 c == choices ? "" : ", ", c->name);
	}
	usage("%s: '%s' is none of %s", option, name, names);
}

/* By name, or as a number that the kernel has none for yet. */
static int32_t
parse_action(const char *option, const struct choice *actions, const char *text)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (end != text && *end == '\0') {
		if (errno != 0 || v < INT32_MIN || v > INT32_MAX)
			usage("%s: '%s' is no number of 32 bits", option, text);
		return (int32_t)v;
	}
	return choose(option, actions, text);
}

bool
target_acts(enum cbpf_target target)
{
	return target == CBPF_TARGET_TC || target == CBPF_TARGET_XDP;
}

static void
set_actions(struct options *o)
{
	const struct choice *actions = o->target == CBPF_TARGET_TC ? tc_actions : xdp_actions;

	if (!target_acts(o->target)) {
		if (o->match != NULL || o->miss != NULL)
			usage("--match and --miss go with --target=tc and xdp");
		return;
	}
	if (o->match == NULL)
		o->match = o->target == CBPF_TARGET_TC ? "ok" : "pass";
	if (o->miss == NULL)
		o->miss = o->target == CBPF_TARGET_TC ? "shot" : "drop";
	o->actions.match = parse_action("--match", actions, o->match);
	o->actions.miss = parse_action("--miss", actions, o->miss);
}

static int
parse_linktype(const char *name)
{
	int dlt;

	if (sift_linktype_from_name(name, &dlt) < 0)
		usage("-y: '%s' is no link type", name);
	return dlt;
}

static uint32_t
parse_snaplen(const char *text)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v > INT32_MAX)
		usage("-s: '%s' is no number from 0 to %d", text, INT32_MAX);
	return v == 0 ? MAX_SNAPLEN : (uint32_t)v;
}

static const char *
parse_identifier(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
				      "0123456789";

	if (*name == '\0' || strspn(name, letters) != strlen(name) ||
	    (*name >= '0' && *name <= '9'))
		usage("--function: '%s' is no name for a function", name);
	return name;
}

static void
set_option(struct options *o, int option, const char *arg)
{
	switch (option) {
	case 'y':
		o->dlt = parse_linktype(arg);
		break;
	case 's':
		o->snaplen = parse_snaplen(arg);
		break;
	case 'O':
		o->level = (enum cbpf_level)choose("-O", levels, arg);
		break;
	case 'f':
		o->in = arg;
		break;
	case 'o':
		o->out = arg;
		break;
	case OPT_DIALECT:
		o->dialect = (enum cbpf_dialect)choose("--dialect", dialects, arg);
		break;
	case OPT_FROM:
		o->from = choose("--from", froms, arg);
		break;
	case OPT_TARGET:
		o->target = (enum cbpf_target)choose("--target", targets, arg);
		break;
	case OPT_MATCH:
		o->match = arg;
		break;
	case OPT_MISS:
		o->miss = arg;
		break;
	case OPT_TO:
		o->to = choose("--to", tos, arg);
		o->has_to = true;
		break;
	case OPT_LOAD:
		o->load = true;
		break;
	case OPT_LOG:
		o->log = true;
		break;
	case OPT_PIN:
		o->pin = arg;
		break;
	case OPT_ATTACH:
		o->attach = arg;
		break;
	case OPT_DETACH:
		o->detach = arg;
		break;
	case OPT_CPU:
		o->cpu = (enum cbpf_cpu)choose("--cpu", cpus, arg);
		break;
	case OPT_TRACE_PASSES:
		o->trace_passes = true;
		break;
	case OPT_SIDE_BY_SIDE:
		o->side_by_side = true;
		break;
	case OPT_CLASSIC:
		o->classic = true;
		break;
	case OPT_COUNTER:
		o->counter = true;
		break;
	case OPT_FUNCTION:
		o->function = parse_identifier(arg);
		break;
	case OPT_INLINE:
		o->in_line = true;
		break;
	case OPT_NO_PCAP_OPT:
		o->no_pcap_opt = true;
		break;
	case 'h':
		write_stdout(help_text, strlen(help_text));
		exit(EXIT_SUCCESS);
	case OPT_VERSION:
		write_stdout(version_text, strlen(version_text));
		exit(EXIT_SUCCESS);
	default:
		/* getopt has said what is wrong. */
		exit(EXIT_USAGE);
	}
}

/* What is asked of the running kernel; before actions have their defaults. */
static void
check_kernel_options(struct options *o)
{
	bool acts = target_acts(o->target);

	if (o->to == TO_ELF && !acts && o->target != CBPF_TARGET_SOCKET)
		usage("--to=elf goes with --target=socket, tc and xdp");
	o->load |= o->pin != NULL || o->attach != NULL;
	if (o->log && !o->load)
		usage("--log goes with --load");
	if (o->load && !acts && o->target != CBPF_TARGET_SOCKET)
		usage("--load goes with --target=socket, tc and xdp");
	if ((o->attach != NULL || o->detach != NULL) && !acts)
		usage("--attach and --detach go with --target=tc and xdp");
	if (o->attach != NULL && (o->match == NULL || o->miss == NULL))
		usage("--attach: say with --match and --miss what is to happen to packets");
	if (o->load && o->to < TO_ASM)
		usage("--load: classic programs are not loaded");
}

/* The words of an expression, as one. */
static char *
join(char *const *words)
{
	size_t len = 0;
	char *all, *at;

	for (char *const *w = words; *w != NULL; w++)
		len += strlen(*w) + 1;
	at = all = must(malloc(len));
	for (; *words != NULL; words++) {
		size_t n = strlen(*words);

		memcpy(at, *words, n);
		at[n] = words[1] != NULL ? ' ' : '\0';
		at += n + 1;
	}
	return all;
}

struct options
parse_options(int argc, char **argv)
{
	struct options o = {
		.dlt = parse_linktype("EN10MB"),
		.snaplen = MAX_SNAPLEN,
		.dialect = CBPF_DIALECT_KERNEL,
		.from = CBPF_FORM_AUTO,
		.target = CBPF_TARGET_PACKET,
		.to = TO_ASM,
		.cpu = CBPF_CPU_V3,
	};
	int option;

	while ((option = getopt_long(argc, argv, "y:s:O:f:o:h", long_options, NULL)) != -1)
		set_option(&o, option, optarg);
	if (o.side_by_side && o.to != TO_ASM)
		usage("--side-by-side goes with --to=asm");
	if (o.counter && (o.to != TO_ELF || o.load))
		usage("--counter goes with --to=elf, and not with --load");
	if (o.function != NULL && o.to != TO_C)
		usage("--function goes with --to=c");
	if (o.in_line && (o.function != NULL || o.load || o.to < TO_ASM || o.to == TO_ELF ||
			  o.to == TO_DOT))
		usage("--inline goes with --to=asm, c, hex, raw and json");
	if (o.classic && o.to != TO_DOT)
		usage("--classic goes with --to=dot");
	check_kernel_options(&o);
	set_actions(&o);
	if (optind == argc)
		return o;
	if (o.in != NULL)
		usage("an expression or -f, not both");
	if (o.from != CBPF_FORM_AUTO && o.from != FROM_EXPR)
		usage("'%s' is an expression, but --from=%s has no such thing", argv[optind],
		      name_of(froms, o.from));
	o.from = FROM_EXPR;
	o.expression = join(&argv[optind]);
	return o;
}
