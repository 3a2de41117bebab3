#include "textflag.h"

// func markBlocks(marks, text *byte, blocks int)
TEXT ·markBlocks(SB), NOSPLIT, $0-24
	MOVQ marks+0(FP), DI
	MOVQ text+8(FP), SI
	MOVQ blocks+16(FP), CX

	MOVQ         $0x2222222222222222, AX // quotes
	MOVQ         AX, X13
	VPBROADCASTQ X13, Y13
	MOVQ         $0x5c5c5c5c5c5c5c5c, AX // backslashes
	MOVQ         AX, X14
	VPBROADCASTQ X14, Y14
	MOVQ         $0x2020202020202020, AX // spaces: what is less, as a signed number, is
	MOVQ         AX, X15                 // a control character, or beyond ASCII
	VPBROADCASTQ X15, Y15

block:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1

	VPCMPEQB  Y13, Y0, Y2
	VPCMPEQB  Y14, Y0, Y3
	VPCMPGTB  Y0, Y15, Y4
	VPOR      Y3, Y2, Y2
	VPOR      Y4, Y2, Y2
	VPMOVMSKB Y2, AX

	VPCMPEQB  Y13, Y1, Y5
	VPCMPEQB  Y14, Y1, Y6
	VPCMPGTB  Y1, Y15, Y7
	VPOR      Y6, Y5, Y5
	VPOR      Y7, Y5, Y5
	VPMOVMSKB Y5, BX

	MOVL AX, (DI)
	MOVL BX, 4(DI)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ  block

	VZEROUPPER
	RET
