/* SPDX-License-Identifier: Apache-2.0
 *
 * int evidence_enclave_enter(void *page, struct sgx_enclave_run *run, vdso_sgx_enter_enclave_t enter)
 *
 * The kernel's vDSO function takes its last argument on the stack and, when the enclave ends in an
 * exception, returns with what an exit from an enclave leaves in the registers: zeros in r12 to r15,
 * which C expects to be kept. */
#include "nodeagent/enclave/layout.h"
#ifdef __CET__
#include <cet.h>
#else
#define _CET_ENDBR
#endif

	.text
	.globl	evidence_enclave_enter
	.type	evidence_enclave_enter, @function
evidence_enclave_enter:
	.cfi_startproc
	_CET_ENDBR
	push	%r12
	.cfi_adjust_cfa_offset 8
	push	%r13
	.cfi_adjust_cfa_offset 8
	push	%r14
	.cfi_adjust_cfa_offset 8
	push	%r15
	.cfi_adjust_cfa_offset 8
	push	%rsi
	.cfi_adjust_cfa_offset 8
	mov	%rdx, %rax
	xor	%esi, %esi
	xor	%edx, %edx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	mov	$ENCLU_EENTER, %ecx
	call	*%rax
	cld
	add	$8, %rsp
	.cfi_adjust_cfa_offset -8
	pop	%r15
	.cfi_adjust_cfa_offset -8
	pop	%r14
	.cfi_adjust_cfa_offset -8
	pop	%r13
	.cfi_adjust_cfa_offset -8
	pop	%r12
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size	evidence_enclave_enter, . - evidence_enclave_enter

	.section .note.GNU-stack, "", @progbits
