/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cbpf2ebpf: translate a classic BPF program to extended BPF, or to another of
 * its own text forms.
 *
 * The output is made in memory first: a file or standard output receives all
 * of it or, if anything was refused, nothing.  The same input and options give
 * the same bytes.
 */
#include "config.h"

#include <bpfsift/cbpf.h>
#include <bpfsift/ebpf.h>
#include <bpfsift/filter.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

/* What tcpdump's -s 0 means, and its default. */
#define MAX_SNAPLEN 262144u

/* More text than any program needs. */
#define MAX_INPUT ((size_t)EBPF_MAXINSNS * 128)

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
	"  --target=TARGET       packet (default), buffer, socket: how packet bytes are\n"
	"                        reached\n"
	"  --to=FORM             asm (default), c, hex, raw, json; or, classic again,\n"
	"                        d, dd, ddd, xt_bpf, bpf_asm\n"
	"  --cpu=VERSION         v1, v2, v3 (default), v4: instructions that may be used\n"
	"  --no-pcap-opt         compile the expression without libpcap's optimiser\n"
	"  -f FILE               read the program, or the expression, from there\n"
	"  -o FILE               write there: all of it or, on any error, nothing\n"
	"  -h, --help            this\n"
	"  --version\n"
	"\n"
	"The form json is one object:\n"
	"  { \"dialect\": \"kernel\" or \"pcap\",\n"
	"    \"target\": \"packet\", \"buffer\" or \"socket\",\n"
	"    \"cpu\": \"v1\" to \"v4\",\n"
	"    \"cbpf\": [ { \"code\", \"jt\", \"jf\", \"k\": unsigned numbers } ],\n"
	"    \"ebpf\": [ { \"code\", \"dst_reg\", \"src_reg\": unsigned numbers,\n"
	"                \"off\", \"imm\": signed numbers,\n"
	"                \"origin\": index in cbpf; null: serves the whole program,\n"
	"                \"asm\": text; null: second half of the one before } ] }\n";

/* What --to says: a classic form, or one of these. */
enum {
	TO_ASM = 100,
	TO_C,
	TO_HEX,
	TO_RAW,
	TO_JSON,
};

enum { FROM_EXPR = 100 };

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
	{ NULL, 0 },
};

static const struct choice cpus[] = {
	{ "v1", CBPF_CPU_V1 }, { "v2", CBPF_CPU_V2 }, { "v3", CBPF_CPU_V3 },
	{ "v4", CBPF_CPU_V4 }, { NULL, 0 },
};

static const struct choice levels[] = {
	{ "0", CBPF_LEVEL_0 }, { "1", CBPF_LEVEL_1 }, { "2", CBPF_LEVEL_2 }, { NULL, 0 },
};

struct options {
	int dlt;
	uint32_t snaplen;
	enum cbpf_dialect dialect;
	int from; /* enum cbpf_form or FROM_EXPR */
	enum cbpf_target target;
	int to; /* enum cbpf_form or TO_* */
	enum cbpf_cpu cpu;
	enum cbpf_level level;
	bool trace_passes;
	bool no_pcap_opt;
	const char *expression; /* NULL: none on the command line */
	const char *in;         /* NULL: standard input */
	const char *out;        /* NULL: standard output */
};

/* Bytes, and a NUL behind them. */
struct text {
	char *at;
	size_t len;
};

/* ---- messages ---- */

/* One line, whatever the names and expressions quoted in it hold. */
__attribute__((format(printf, 1, 0))) static void
complain(const char *fmt, va_list ap)
{
	char line[EBPF_ERR_SIZE + 1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "cbpf2ebpf: %s\n", line);
}

__attribute__((format(printf, 1, 2), noreturn)) static void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	/* What is held goes with the process: nothing for a leak checker to look for. */
	fflush(stdout);
	_exit(EXIT_FAILURE);
}

__attribute__((format(printf, 1, 2), noreturn)) static void
usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	exit(EXIT_USAGE);
}

static void *
must(void *p)
{
	if (p == NULL)
		die("out of memory");
	return p;
}

/* ---- input ---- */

/* What messages call the input. */
static const char *
input_name(const struct options *o)
{
	if (o->expression != NULL)
		return "expression";
	return o->in != NULL ? o->in : "stdin";
}

static struct text
read_stream(FILE *stream, const char *name)
{
	struct text in = { NULL, 0 };
	size_t room = 0;

	do {
		if (room - in.len < 4096)
			in.at = must(realloc(in.at, room = room == 0 ? 16384 : room * 2));
		in.len += fread(in.at + in.len, 1, room - in.len - 1, stream);
		if (ferror(stream))
			die("%s: %s", name, strerror(errno));
		if (in.len > MAX_INPUT)
			die("%s: over %zu bytes", name, MAX_INPUT);
	} while (!feof(stream));
	in.at[in.len] = '\0';
	return in;
}

static struct text
read_input(const struct options *o)
{
	FILE *stream = stdin;
	struct text in;

	if (o->in != NULL && (stream = fopen(o->in, "rb")) == NULL)
		die("%s: %s", o->in, strerror(errno));
	in = read_stream(stream, input_name(o));
	if (stream != stdin)
		fclose(stream);
	return in;
}

/* As tcpdump -F has it: '#' and what follows it on its line is a comment. */
static void
blank_comments(char *text)
{
	for (char *p = strchr(text, '#'); p != NULL; p = strchr(p, '#'))
		while (*p != '\0' && *p != '\n')
			*p++ = ' ';
}

static struct text
read_expression(const struct options *o)
{
	struct text in = read_input(o);
	size_t len = strlen(in.at);

	if (len < in.len)
		die("%s: offset %zu: a NUL in the expression", input_name(o), len);
	blank_comments(in.at);
	return in;
}

static struct cbpf_insn *
compile_expression(const struct options *o, size_t *n_insns)
{
	unsigned int flags = o->no_pcap_opt ? SIFT_EXPR_NO_OPTIMIZE : 0;
	struct text in = { NULL, 0 };
	struct cbpf_insn *insns;
	struct ebpf_err err;
	int rc;

	if (o->expression == NULL)
		in = read_expression(o);
	/* The netmask of no interface is asked for: 0, as with tcpdump -r. */
	rc = sift_expr_compile(in.at != NULL ? in.at : o->expression, o->dlt, o->snaplen, 0, flags,
			       &insns, n_insns, &err);
	free(in.at);
	if (rc < 0)
		die("%s: %s", input_name(o), err.text);
	return insns;
}

static struct cbpf_insn *
read_program(const struct options *o, size_t *n_insns)
{
	struct text in = read_input(o);
	struct cbpf_insn *insns;
	struct ebpf_err err;
	int rc = cbpf_read(in.at, in.len, (enum cbpf_form)o->from, &insns, n_insns, &err);

	free(in.at);
	if (rc < 0)
		die("%s: %s", input_name(o), err.text);
	return insns;
}

static struct cbpf_prog *
load(const struct options *o)
{
	size_t n_insns;
	struct cbpf_insn *insns =
		o->from == FROM_EXPR ? compile_expression(o, &n_insns) : read_program(o, &n_insns);
	struct cbpf_prog *prog;
	struct ebpf_err err;
	int rc = cbpf_check(insns, n_insns, o->dialect, &prog, &err);

	free(insns);
	if (rc < 0)
		die("%s: %s", input_name(o), err.text);
	return prog;
}

/* ---- extended programs ---- */

static void
trace_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static struct cbpf_lowered
lower(const struct options *o, const struct cbpf_prog *prog)
{
	struct cbpf_lower_opts opts = { .size = sizeof(opts), .cpu = o->cpu, .level = o->level };
	struct cbpf_lowered lowered;
	struct cbpf_net_base base;
	struct ebpf_err err;

	if (o->target == CBPF_TARGET_PACKET)
		opts.layout = sift_packet_layout();
	else if (sift_linktype_net_base(o->dlt, &base) == 0)
		opts.net_base = &base;
	if (o->trace_passes)
		opts.trace = trace_line;
	if (cbpf_lower(prog, o->target, &opts, &lowered, &err) < 0)
		die("%s: %s", input_name(o), err.text);
	return lowered;
}

/*
 * Each instruction in words, by its first slot; NULL for second halves.  The
 * caller frees the array and the one block that the lines are in.
 */
static char **
disassemble(const struct cbpf_lowered *l, char **block)
{
	char **lines = must(calloc(l->n_insns, sizeof(*lines)));
	char *at = *block = must(calloc(l->n_insns, EBPF_DISASM_SIZE));

	for (size_t pc = 0; pc < l->n_insns; at += EBPF_DISASM_SIZE) {
		size_t slots = ebpf_disasm(&l->insns[pc], l->n_insns - pc, at, EBPF_DISASM_SIZE);

		lines[pc] = at;
		pc += slots;
	}
	return lines;
}

static void
write_asm(FILE *out, const struct cbpf_lowered *l, char *const *lines)
{
	for (size_t pc = 0; pc < l->n_insns; pc++)
		if (lines[pc] != NULL)
			fprintf(out, "%4zu: %s\n", pc, lines[pc]);
}

static void
write_c(FILE *out, const struct cbpf_lowered *l, char *const *lines)
{
	fprintf(out, "/* struct bpf_insn is that of <linux/bpf.h> */\n"
		     "static const struct bpf_insn program[] = {\n");
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		const struct ebpf_insn *i = &l->insns[pc];

		fprintf(out,
			"\t{ .code = 0x%02x, .dst_reg = %u, .src_reg = %u, .off = %d, "
			".imm = %" PRId32 " },",
			i->code, i->dst_reg, i->src_reg, i->off, i->imm);
		if (lines[pc] != NULL)
			fprintf(out, " /* %zu: %s */", pc, lines[pc]);
		fputc('\n', out);
	}
	fprintf(out, "};\n");
}

/* Memory order of a little-endian machine (RFC 9669, section 3.1). */
static void
store_insn(const struct ebpf_insn *insn, uint8_t bytes[8])
{
	uint16_t off = (uint16_t)insn->off;
	uint32_t imm = (uint32_t)insn->imm;

	bytes[0] = insn->code;
	bytes[1] = (uint8_t)(insn->dst_reg | insn->src_reg << 4);
	bytes[2] = (uint8_t)(off & 0xff);
	bytes[3] = (uint8_t)(off >> 8);
	for (unsigned int i = 0; i < 4; i++)
		bytes[4 + i] = (uint8_t)(imm >> 8 * i);
}

static void
write_hex(FILE *out, const struct cbpf_lowered *l)
{
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		uint8_t bytes[8];

		store_insn(&l->insns[pc], bytes);
		for (size_t i = 0; i < sizeof(bytes); i++)
			fprintf(out, "%02x", bytes[i]);
		fputc('\n', out);
	}
}

static void
write_raw(FILE *out, const struct cbpf_lowered *l)
{
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		uint8_t bytes[8];

		store_insn(&l->insns[pc], bytes);
		fwrite(bytes, sizeof(bytes), 1, out);
	}
}

static const char *
name_of(const struct choice *choices, int value)
{
	while (choices->value != value)
		choices++;
	return choices->name;
}

static void
write_json_insn(FILE *out, const struct cbpf_lowered *l, size_t pc, const char *line)
{
	const struct ebpf_insn *i = &l->insns[pc];

	fprintf(out,
		"    { \"code\": %u, \"dst_reg\": %u, \"src_reg\": %u, \"off\": %d, "
		"\"imm\": %" PRId32 ", ",
		i->code, i->dst_reg, i->src_reg, i->off, i->imm);
	if (l->origin[pc] != UINT32_MAX)
		fprintf(out, "\"origin\": %" PRIu32 ", ", l->origin[pc]);
	else
		fprintf(out, "\"origin\": null, ");
	/* The notation has no character that JSON would want escaped. */
	if (line != NULL)
		fprintf(out, "\"asm\": \"%s\" }", line);
	else
		fprintf(out, "\"asm\": null }");
}

/* The schema is in help_text. */
static void
write_json(FILE *out, const struct options *o, const struct cbpf_prog *prog,
	   const struct cbpf_lowered *l, char *const *lines)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);

	fprintf(out, "{\n  \"dialect\": \"%s\",\n  \"target\": \"%s\",\n  \"cpu\": \"%s\",\n",
		name_of(dialects, (int)o->dialect), name_of(targets, (int)o->target),
		name_of(cpus, (int)o->cpu));
	fprintf(out, "  \"cbpf\": [\n");
	for (size_t pc = 0; pc < n; pc++)
		fprintf(out, "    { \"code\": %u, \"jt\": %u, \"jf\": %u, \"k\": %" PRIu32 " }%s\n",
			insns[pc].code, insns[pc].jt, insns[pc].jf, insns[pc].k,
			pc + 1 < n ? "," : "");
	fprintf(out, "  ],\n  \"ebpf\": [\n");
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		write_json_insn(out, l, pc, lines[pc]);
		fprintf(out, "%s\n", pc + 1 < l->n_insns ? "," : "");
	}
	fprintf(out, "  ]\n}\n");
}

static struct text
print_extended(const struct options *o, const struct cbpf_prog *prog)
{
	struct cbpf_lowered lowered = lower(o, prog);
	struct text text = { NULL, 0 };
	FILE *out = must(open_memstream(&text.at, &text.len));
	char *block;
	char **lines = disassemble(&lowered, &block);
	bool is_short;

	switch (o->to) {
	case TO_ASM:
		write_asm(out, &lowered, lines);
		break;
	case TO_C:
		write_c(out, &lowered, lines);
		break;
	case TO_HEX:
		write_hex(out, &lowered);
		break;
	case TO_RAW:
		write_raw(out, &lowered);
		break;
	case TO_JSON:
		write_json(out, o, prog, &lowered, lines);
		break;
	}
	is_short = ferror(out) != 0;
	if (fclose(out) != 0 || is_short)
		die("out of memory");
	free(lines);
	free(block);
	cbpf_lowered_free(&lowered);
	return text;
}

static struct text
print_classic(const struct options *o, const struct cbpf_prog *prog)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);
	struct text text;
	struct ebpf_err err;

	if (cbpf_print(insns, n, (enum cbpf_form)o->to, &text.at, &text.len, &err) < 0)
		die("%s: %s", input_name(o), err.text);
	return text;
}

/* ---- output ---- */

static void
write_stdout(const char *at, size_t len)
{
	fwrite(at, 1, len, stdout);
	if (fflush(stdout) != 0 || ferror(stdout) || fclose(stdout) != 0)
		die("stdout: %s", strerror(errno));
}

/* These return 0 or an errno code.  fd is closed either way. */
static int
write_and_close(int fd, const struct text *text)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t n = write(fd, text->at + done, text->len - done);

		if (n < 0 && errno != EINTR) {
			int code = errno;

			close(fd);
			return code;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return close(fd) < 0 ? errno : 0;
}

/* A device or pipe cannot be replaced, only written to. */
static int
write_special(const char *path, const struct text *text)
{
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? errno : write_and_close(fd, text);
}

/* The permissions that a new file gets, or that the old one has. */
static mode_t
mode_for(const struct stat *old)
{
	mode_t mask;

	if (old != NULL)
		return old->st_mode & 0777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* Under another name first: readers of path see the old file or the whole new one. */
static int
replace_file(const char *path, const struct stat *old, const struct text *text)
{
	static const char suffix[] = ".XXXXXX";
	size_t len = strlen(path);
	char *temporary = must(malloc(len + sizeof(suffix)));
	int fd, code;

	memcpy(temporary, path, len);
	memcpy(temporary + len, suffix, sizeof(suffix));
	if ((fd = mkstemp(temporary)) < 0) {
		code = errno;
		free(temporary);
		return code;
	}
	if (fchmod(fd, mode_for(old)) < 0) {
		code = errno;
		close(fd);
	} else {
		code = write_and_close(fd, text);
	}
	if (code == 0 && rename(temporary, path) < 0)
		code = errno;
	if (code != 0)
		unlink(temporary);
	free(temporary);
	return code;
}

/* A file that is there; a link to it goes on pointing there. */
static int
rewrite_file(const char *path, const struct stat *old, const struct text *text)
{
	char *target;
	int code;

	if (access(path, W_OK) < 0 || (target = realpath(path, NULL)) == NULL)
		return errno;
	code = replace_file(target, old, text);
	free(target);
	return code;
}

static void
write_file(const char *path, const struct text *text)
{
	struct stat old;
	int code;

	if (stat(path, &old) < 0)
		code = errno == ENOENT ? replace_file(path, NULL, text) : errno;
	else if (S_ISREG(old.st_mode))
		code = rewrite_file(path, &old, text);
	else
		code = write_special(path, text);
	if (code != 0)
		die("%s: %s", path, strerror(code));
}

/* ---- options ---- */

enum {
	OPT_DIALECT = 256,
	OPT_FROM,
	OPT_TARGET,
	OPT_TO,
	OPT_CPU,
	OPT_NO_PCAP_OPT,
	OPT_TRACE_PASSES,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "dialect", required_argument, NULL, OPT_DIALECT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "target", required_argument, NULL, OPT_TARGET },
	{ "to", required_argument, NULL, OPT_TO },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "no-pcap-opt", no_argument, NULL, OPT_NO_PCAP_OPT },
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
	case OPT_TO:
		o->to = choose("--to", tos, arg);
		break;
	case OPT_CPU:
		o->cpu = (enum cbpf_cpu)choose("--cpu", cpus, arg);
		break;
	case OPT_TRACE_PASSES:
		o->trace_passes = true;
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

static struct options
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

int
main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	struct cbpf_prog *prog = load(&o);
	struct text text = o.to >= TO_ASM ? print_extended(&o, prog) : print_classic(&o, prog);

	if (o.out != NULL)
		write_file(o.out, &text);
	else
		write_stdout(text.at, text.len);
	free(text.at);
	cbpf_prog_free(prog);
	free((char *)(uintptr_t)o.expression);
	return EXIT_SUCCESS;
}
