# SPDX-License-Identifier: BSD-2-Clause
# BPFSIFT_HARDENING_FLAG(VARIABLE, FLAG, [PROGRAM])
# Put FLAG into VARIABLE if compiler and linker take it without a word.
AC_DEFUN([BPFSIFT_HARDENING_FLAG], [
  bpfsift_saved_cflags=$CFLAGS
  AC_MSG_CHECKING([whether $CC hardens by $2])
  CFLAGS="$2 $MODE_CFLAGS $CFLAGS -Werror"
  AC_LINK_IFELSE([m4_default([$3], [AC_LANG_PROGRAM([], [])])],
    [AC_MSG_RESULT([yes])
     $1="$$1 $2"],
    [AC_MSG_RESULT([no])
     HARDEN_LEFT_OUT="$HARDEN_LEFT_OUT $2"])
  CFLAGS=$bpfsift_saved_cflags
])

# BPFSIFT_HARDENING
# HARDEN_CFLAGS and HARDEN_LDFLAGS, and PIE_LDFLAGS for programs.  They come
# before the user's CFLAGS and LDFLAGS, which so have the last word.
AC_DEFUN([BPFSIFT_HARDENING], [
  # Canaries in functions with arrays; large frames page by page, so that none
  # steps over the guard page below a stack; landing pads for indirect branches
  # and a shadow stack, on x86 by the one name and on aarch64 by the other.
  BPFSIFT_HARDENING_FLAG([HARDEN_CFLAGS], [-fstack-protector-strong])
  BPFSIFT_HARDENING_FLAG([HARDEN_CFLAGS], [-fstack-clash-protection])
  AS_CASE([$host_cpu],
    [x86_64|i?86], [BPFSIFT_HARDENING_FLAG([HARDEN_CFLAGS], [-fcf-protection=full])],
    [aarch64], [BPFSIFT_HARDENING_FLAG([HARDEN_CFLAGS], [-mbranch-protection=standard])])

  # The C library checks lengths where the compiler knows what they may be, for
  # which it has to optimise; what the user says of it stands.
  AS_CASE([" $CPPFLAGS $CFLAGS "],
    [*_FORTIFY_SOURCE*], [HARDEN_LEFT_OUT="$HARDEN_LEFT_OUT _FORTIFY_SOURCE(yours)"],
    [for bpfsift_level in 3 2; do
       BPFSIFT_HARDENING_FLAG([HARDEN_CFLAGS],
         [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$bpfsift_level],
         [AC_LANG_PROGRAM([[#include <string.h>
#ifndef __OPTIMIZE__
#error "not optimised"
#endif]])])
       AS_CASE([$HARDEN_CFLAGS], [*_FORTIFY_SOURCE=*], [break])
     done])

  # No page that is written and executed, and none that relocation writes to
  # later on; symbols are bound at the start for that.
  BPFSIFT_HARDENING_FLAG([HARDEN_LDFLAGS], [-Wl,-z,relro])
  BPFSIFT_HARDENING_FLAG([HARDEN_LDFLAGS], [-Wl,-z,now])
  BPFSIFT_HARDENING_FLAG([HARDEN_LDFLAGS], [-Wl,-z,noexecstack])

  # Most compilers make programs that can be loaded anywhere without being told.
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#if !defined(__PIE__) && !defined(__PIC__)
#error "no PIE by default"
#endif]])],
    [],
    [BPFSIFT_HARDENING_FLAG([PIE_LDFLAGS], [-fPIE -pie])
     AS_IF([test -n "$PIE_LDFLAGS"],
       [HARDEN_CFLAGS="$HARDEN_CFLAGS -fPIE" PIE_LDFLAGS=-pie])])
])
