# SPDX-License-Identifier: BSD-2-Clause
# BPFSIFT_WARNINGS([flags])
# Put those that the compiler takes into WARN_CFLAGS, the others into
# WARN_LEFT_OUT.  -Werror is on while probing, since clang only warns of a
# flag it does not know.
AC_DEFUN([BPFSIFT_WARNINGS], [
  bpfsift_saved_cflags=$CFLAGS
  for bpfsift_flag in $1; do
    AC_MSG_CHECKING([whether $CC takes $bpfsift_flag])
    # gcc keeps quiet about an unknown -Wno-x: ask for the positive form.
    CFLAGS="$bpfsift_saved_cflags -Werror $(echo "$bpfsift_flag" | sed 's/^-Wno-/-W/')"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes])
       WARN_CFLAGS="$WARN_CFLAGS $bpfsift_flag"],
      [AC_MSG_RESULT([no])
       WARN_LEFT_OUT="$WARN_LEFT_OUT $bpfsift_flag"])
  done
  CFLAGS=$bpfsift_saved_cflags
])
