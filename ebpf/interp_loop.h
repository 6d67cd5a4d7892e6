/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter's loop, the bodies of all instructions.  Included once for
 * each variant, after the file that includes it has defined
 *
 *   LOOP          the function's head: name and arguments, among them prog
 *   LOOP_LABELS   1: it dispatches through labels as values; 0: a switch
 *   LOOP_ENTER    what comes before the first instruction: pc, regs, n_loops,
 *                 frames, frame
 *   DISPATCH, CASE(row), NO_CASE, NEXT
 *                 how an instruction is reached and left
 *   STEP          what happens before each instruction, at its pc
 *   TRACE         and after the last one
 *   ACCESS(addr, size), ATOMIC(addr, size)
 *                 may leave the function instead of touching that memory
 *   GOTO(n)       pc += n, or leave
 *   ENTER_FRAME   may leave instead of one more call
 *   HELPER        may leave instead of calling the helper
 *   RETURN        leaves with R0
 *   FAIL          leaves where there is no instruction
 *
 * In what does not test its accesses these are empty.  pc points to the
 * decoded instruction, AX is scratch within one.  A body is a line or three;
 * the meaning of each stands in insn.def.
 */
#define DST (regs[pc->dst])
#define SRC (regs[pc->src])
#define DST32 ((uint32_t)regs[pc->dst])
#define SRC32 ((uint32_t)regs[pc->src])
#define OFF (pc->off)
#define IMM ((uint64_t)(int64_t)pc->imm)
#define IMM32 ((uint32_t)pc->imm)
#define R0 (regs[EBPF_R0])
#define AX (regs[EBPF_AX])
#define ADDR(reg) ((reg) + (uint64_t)(int64_t)pc->off)

#define ALU(id, op)                                                                                \
	CASE(id##64_X) { DST = DST op SRC; NEXT; }                                                 \
	CASE(id##64_K) { DST = DST op IMM; NEXT; }                                                 \
	CASE(id##32_X) { DST = DST32 op SRC32; NEXT; }                                             \
	CASE(id##32_K) { DST = DST32 op IMM32; NEXT; }

/* The divisor, cut or extended to its width, goes through AX: src stays as it is. */
#define DIVIDE(id, fn)                                                                             \
	CASE(id##64_X) { AX = SRC; DST = fn##64(DST, AX); NEXT; }                                  \
	CASE(id##64_K) { AX = IMM; DST = fn##64(DST, AX); NEXT; }                                  \
	CASE(id##32_X) { AX = SRC32; DST = fn##32(DST32, (uint32_t)AX); NEXT; }                    \
	CASE(id##32_K) { AX = IMM32; DST = fn##32(DST32, (uint32_t)AX); NEXT; }

#define SHIFT(id, fn)                                                                              \
	CASE(id##64_X) { DST = fn##64(DST, SRC); NEXT; }                                           \
	CASE(id##64_K) { DST = fn##64(DST, IMM); NEXT; }                                           \
	CASE(id##32_X) { DST = fn##32(DST32, SRC32); NEXT; }                                       \
	CASE(id##32_K) { DST = fn##32(DST32, IMM32); NEXT; }

#define CONVERT(id, fn)                                                                            \
	CASE(id) { DST = fn(DST); NEXT; }

#define JUMP(id, op)                                                                               \
	CASE(id##64_X) { if (DST op SRC) GOTO(OFF); NEXT; }                                        \
	CASE(id##64_K) { if (DST op IMM) GOTO(OFF); NEXT; }                                        \
	CASE(id##32_X) { if (DST32 op SRC32) GOTO(OFF); NEXT; }                                    \
	CASE(id##32_K) { if (DST32 op IMM32) GOTO(OFF); NEXT; }

#define JUMP_SIGNED(id, op)                                                                        \
	CASE(id##64_X) { if (s64(DST) op s64(SRC)) GOTO(OFF); NEXT; }                              \
	CASE(id##64_K) { if (s64(DST) op (int64_t)pc->imm) GOTO(OFF); NEXT; }                      \
	CASE(id##32_X) { if (s32(DST32) op s32(SRC32)) GOTO(OFF); NEXT; }                          \
	CASE(id##32_K) { if (s32(DST32) op pc->imm) GOTO(OFF); NEXT; }

#define LOAD(id, type, extend)                                                                     \
	CASE(id) {                                                                                 \
		type v;                                                                            \
		ACCESS(ADDR(SRC), sizeof(v));                                                      \
		memcpy(&v, pointer(ADDR(SRC)), sizeof(v));                                         \
		DST = extend(v);                                                                   \
		NEXT;                                                                              \
	}

#define STORE(id, type, value)                                                                     \
	CASE(id) {                                                                                 \
		type v = (type)(value);                                                            \
		ACCESS(ADDR(DST), sizeof(v));                                                      \
		memcpy(pointer(ADDR(DST)), &v, sizeof(v));                                         \
		NEXT;                                                                              \
	}

#define ATOMIC_OP(op)                                                                              \
	CASE(ATOMIC_##op##32) {                                                                    \
		ATOMIC(ADDR(DST), 4);                                                              \
		atomic_do32(pointer(ADDR(DST)), EBPF_##op, SRC32);                                 \
		NEXT;                                                                              \
	}                                                                                          \
	CASE(ATOMIC_##op##64) {                                                                    \
		ATOMIC(ADDR(DST), 8);                                                              \
		atomic_do64(pointer(ADDR(DST)), EBPF_##op, SRC);                                   \
		NEXT;                                                                              \
	}

#define FETCH(id, op)                                                                              \
	CASE(id##32) {                                                                             \
		ATOMIC(ADDR(DST), 4);                                                              \
		SRC = atomic_fetch32(pointer(ADDR(DST)), op, SRC32);                               \
		NEXT;                                                                              \
	}                                                                                          \
	CASE(id##64) {                                                                             \
		ATOMIC(ADDR(DST), 8);                                                              \
		SRC = atomic_fetch64(pointer(ADDR(DST)), op, SRC);                                 \
		NEXT;                                                                              \
	}

#define CMPXCHG(N)                                                                                 \
	CASE(CMPXCHG##N) {                                                                         \
		ATOMIC(ADDR(DST), N / 8);                                                          \
		R0 = atomic_cmpxchg##N(pointer(ADDR(DST)), (uint##N##_t)R0, (uint##N##_t)SRC);     \
		NEXT;                                                                              \
	}

#define ORDERED(size, N)                                                                           \
	CASE(LOAD_ACQ_##size) {                                                                    \
		ATOMIC(ADDR(SRC), N / 8);                                                          \
		DST = load_acquire##N(pointer(ADDR(SRC)));                                         \
		NEXT;                                                                              \
	}                                                                                          \
	CASE(STORE_REL_##size) {                                                                   \
		ATOMIC(ADDR(DST), N / 8);                                                          \
		store_release##N(pointer(ADDR(DST)), (uint##N##_t)SRC);                            \
		NEXT;                                                                              \
	}

LOOP
{
#if LOOP_LABELS
	static const void *const labels[EBPF_N_OPS + 1] = {
#define I(id, ...) [EBPF_OP_##id] = __extension__ &&op_##id,
#include "ebpf/insn.def"
		[EBPF_N_OPS] = __extension__ &&no_op,
	};
#endif
	LOOP_ENTER

	for (;; pc++) {
		STEP;
		DISPATCH {
		ALU(ADD, +)
		ALU(SUB, -)
		ALU(MUL, *)
		ALU(OR, |)
		ALU(AND, &)
		ALU(XOR, ^)
		DIVIDE(DIV, div)
		DIVIDE(SDIV, sdiv)
		DIVIDE(MOD, mod)
		DIVIDE(SMOD, smod)
		SHIFT(LSH, lsh)
		SHIFT(RSH, rsh)
		SHIFT(ARSH, arsh)

		CASE(NEG64) { DST = 0 - DST; NEXT; }
		CASE(NEG32) { DST = 0 - DST32; NEXT; }
		CASE(MOV64_X) { DST = SRC; NEXT; }
		CASE(MOV64_K) { DST = IMM; NEXT; }
		CASE(MOV32_X) { DST = SRC32; NEXT; }
		CASE(MOV32_K) { DST = IMM32; NEXT; }
		CASE(MOVSX8_64) { DST = sext8(SRC); NEXT; }
		CASE(MOVSX16_64) { DST = sext16(SRC); NEXT; }
		CASE(MOVSX32_64) { DST = sext32(SRC); NEXT; }
		CASE(MOVSX8_32) { DST = (uint32_t)sext8(SRC); NEXT; }
		CASE(MOVSX16_32) { DST = (uint32_t)sext16(SRC); NEXT; }
		CONVERT(LE16, to_le16)
		CONVERT(LE32, to_le32)
		CONVERT(LE64, to_le64)
		CONVERT(BE16, to_be16)
		CONVERT(BE32, to_be32)
		CONVERT(BE64, to_be64)
		CONVERT(BSWAP16, swap16)
		CONVERT(BSWAP32, swap32)
		CONVERT(BSWAP64, swap64)

		JUMP(JEQ, ==)
		JUMP(JNE, !=)
		JUMP(JGT, >)
		JUMP(JGE, >=)
		JUMP(JLT, <)
		JUMP(JLE, <=)
		JUMP(JSET, &)
		JUMP_SIGNED(JSGT, >)
		JUMP_SIGNED(JSGE, >=)
		JUMP_SIGNED(JSLT, <)
		JUMP_SIGNED(JSLE, <=)
		CASE(JA) { GOTO(OFF); NEXT; }
		CASE(JA32) { GOTO(pc->imm); NEXT; }
		CASE(MAY_GOTO) {
			if (n_loops == 0)
				GOTO(OFF);
			else
				n_loops--;
			NEXT;
		}

		CASE(CALL) {
			HELPER;
			R0 = prog->helpers[pc->imm].fn(regs[EBPF_R1], regs[EBPF_R2], regs[EBPF_R3],
						       regs[EBPF_R4], regs[EBPF_R5], prog->env);
			NEXT;
		}
		CASE(CALL_LOCAL) {
			ENTER_FRAME;
			frame->ret = pc;
			frame->n_loops = n_loops;
			memcpy(frame->saved, &regs[EBPF_R6], sizeof(frame->saved));
			frame++;
			memset(&regs[EBPF_R6], 0, sizeof(frame->saved));
			regs[EBPF_R10] -= EBPF_STACK_SIZE;
			n_loops = EBPF_MAX_LOOPS;
			GOTO(pc->imm);
			NEXT;
		}
		CASE(EXIT) {
			if (frame == frames) {
				TRACE;
				RETURN;
			}
			frame--;
			pc = frame->ret;
			n_loops = frame->n_loops;
			memcpy(&regs[EBPF_R6], frame->saved, sizeof(frame->saved));
			regs[EBPF_R10] += EBPF_STACK_SIZE;
			NEXT;
		}

		LOAD(LDXB, uint8_t, (uint64_t))
		LOAD(LDXH, uint16_t, (uint64_t))
		LOAD(LDXW, uint32_t, (uint64_t))
		LOAD(LDXDW, uint64_t, (uint64_t))
		LOAD(LDSXB, uint8_t, sext8)
		LOAD(LDSXH, uint16_t, sext16)
		LOAD(LDSXW, uint32_t, sext32)
		STORE(STB, uint8_t, pc->imm)
		STORE(STH, uint16_t, pc->imm)
		STORE(STW, uint32_t, pc->imm)
		STORE(STDW, uint64_t, IMM)
		STORE(STXB, uint8_t, SRC)
		STORE(STXH, uint16_t, SRC)
		STORE(STXW, uint32_t, SRC)
		STORE(STXDW, uint64_t, SRC)

		ATOMIC_OP(ADD)
		ATOMIC_OP(OR)
		ATOMIC_OP(AND)
		ATOMIC_OP(XOR)
		FETCH(FETCH_ADD, EBPF_ADD)
		FETCH(FETCH_OR, EBPF_OR)
		FETCH(FETCH_AND, EBPF_AND)
		FETCH(FETCH_XOR, EBPF_XOR)
		FETCH(XCHG, EBPF_XCHG)
		CMPXCHG(32)
		CMPXCHG(64)
		ORDERED(B, 8)
		ORDERED(H, 16)
		ORDERED(W, 32)
		ORDERED(DW, 64)

		CASE(LDDW) {
			DST = IMM32 | (uint64_t)(uint32_t)pc[1].imm << 32;
			pc++;
			NEXT;
		}

		/* The loader refuses these: what they need is the program type's. */
		CASE(LDDW_MAP_FD)
		CASE(LDDW_MAP_VALUE)
		CASE(LDDW_VAR)
		CASE(LDDW_FUNC)
		CASE(LDDW_MAP_IDX)
		CASE(LDDW_MAP_IDX_VALUE)
		CASE(LDABSW)
		CASE(LDABSH)
		CASE(LDABSB)
		CASE(LDINDW)
		CASE(LDINDH)
		CASE(LDINDB)
		NO_CASE {}
		}
		FAIL;
	}
}

#undef DST
#undef SRC
#undef DST32
#undef SRC32
#undef OFF
#undef IMM
#undef IMM32
#undef R0
#undef AX
#undef ADDR
#undef ALU
#undef DIVIDE
#undef SHIFT
#undef CONVERT
#undef JUMP
#undef JUMP_SIGNED
#undef LOAD
#undef STORE
#undef ATOMIC_OP
#undef FETCH
#undef CMPXCHG
#undef ORDERED
