// long sigpp_call(const unsigned *attention, unsigned *active, const long *call): see ../call.hpp, and
// call_x86_64.S for how it works. The kernel changes a0, and no more.
        .text
        .globl  sigpp_call, sigpp_call_begin, sigpp_call_end, sigpp_call_exit, sigpp_call_last
        .hidden sigpp_call, sigpp_call_begin, sigpp_call_end, sigpp_call_exit, sigpp_call_last
        .type   sigpp_call, @function
        .p2align 2
sigpp_call:
        .cfi_startproc
        mv      t0, a0
        mv      t1, a1
        mv      t2, a2
        li      t3, 1
        sw      t3, 0(t1)
        ld      a7, 0(t2)
        ld      a0, 8(t2)
        ld      a1, 16(t2)
        ld      a2, 24(t2)
        ld      a3, 32(t2)
        ld      a4, 40(t2)
        ld      a5, 48(t2)
sigpp_call_begin:
        lw      t3, 0(t0)
        bnez    t3, sigpp_call_exit
        ecall
sigpp_call_end:
        sw      zero, 0(t1)
        ret
sigpp_call_exit:
        li      a0, -4                  // -EINTR
        sw      zero, 0(t1)
        ret
sigpp_call_last:
        .cfi_endproc
        .size   sigpp_call, . - sigpp_call

// See ../call.hpp.
        .globl  sigpp_short_call, sigpp_short_begin, sigpp_short_end, sigpp_short_exit, sigpp_short_last
        .hidden sigpp_short_call, sigpp_short_begin, sigpp_short_end, sigpp_short_exit, sigpp_short_last
        .type   sigpp_short_call, @function
        .p2align 2
sigpp_short_call:
        .cfi_startproc
        mv      t0, a0
        ld      a7, 0(a3)
        ld      t1, 8(a3)
        li      t3, 1
        sw      t3, 0(a5)
sigpp_short_begin:
        lw      t3, 0(a4)
        bnez    t3, sigpp_short_exit
        ecall
sigpp_short_end:
        sw      zero, 0(a5)
        bltz    a0, 1f
        ret
sigpp_short_exit:
        li      a0, -4                  // -EINTR
        sw      zero, 0(a5)
1:      mv      a3, a0
        mv      a0, t0
        jr      t1
sigpp_short_last:
        .cfi_endproc
        .size   sigpp_short_call, . - sigpp_short_call

        .section .note.GNU-stack, "", @progbits
