"""EVM code that makes many reads in one ``eth_call``, deployed nowhere. No Django.

Sent as the initcode of a contract creation, it makes the calls that stand behind it and
returns their answers as the "code" of the new contract. So it works on any chain and at any
block, also where nobody has deployed a multicall contract yet. Written by hand, because a
compiler's output for Cancun would not run in old blocks and on chains without PUSH0; it needs
Constantinople (2019), less than any governor does.

Input, behind the code: 2 bytes: number of entries; each entry 20 bytes target, 3 bytes length
of the calldata (ff ff ff: read the target's balance), calldata.
Output: for each entry 1 byte status, 3 bytes length, then what it returned.
Statuses: 0 reverted, 1 returned, 2 ``STARVED``, 3 ``UNFIT``.

Each call gets an even part of the gas that is left, so that one that burns everything leaves
the others theirs. A call that used more than half of its part may have behaved otherwise than
with plenty (Solidity's try/catch turns an inner lack of gas into another answer), so its answer
is thrown away and it is ``STARVED``: ask again, alone. What a creation may return is limited
(EIP-170), so an answer that does not fit any more is ``UNFIT``: ask again, in another call.
6,000,000 gas are kept back to pay for the code deposit of the answer (200 per byte).
"""

#: Columns: offset, code, assembly. Words of memory: 00 n, entries left; 20 p, the next entry;
#: 40 q, the end of the output; 60 out, its beginning; 80 share of gas; a0 gas before; e0 input.
LISTING = """
; memory[0xe0:] = the input: what follows this code
000  61013538038061013560e039     ; LEN CODESIZE SUB DUP1 LEN 0xe0 CODECOPY
; out = q = where the input ends
00c  60e00180606052604052         ; 0xe0 ADD DUP1 0x60 MSTORE 0x40 MSTORE
; p = the first entry
016  60e2602052                   ; 0xe2 0x20 MSTORE
; n = number of entries
01b  60e05160f01c600052           ; 0xe0 MLOAD 240 SHR 0x0 MSTORE
; while n
024  5b6000511561012a57           ; loop: 0x0 MLOAD ISZERO @end JUMPI
; [p, target]
02d  602051805160601c             ; 0x20 MLOAD DUP1 MLOAD 96 SHR
; [p, target, length]
035  816014015160e81c             ; DUP2 20 ADD MLOAD 232 SHR
03d  8062ffffff146100c557         ; DUP1 0xffffff EQ @balance JUMPI
; [.., gas > reserve, gas - reserve]
047  5a625b8d80811190625b8d809003 ; GAS 6000000 DUP2 GT SWAP1 6000000 SWAP1 SUB
; [.., share]: an even part of what may be spent, or 0
055  600051900402                 ; 0x0 MLOAD SWAP1 DIV MUL
05b  806080525a60a052             ; DUP1 0x80 MSTORE GAS 0xa0 MSTORE
; [p, target, length, share, ok]
063  6000600083866017018685fa     ; 0x0 0x0 DUP4 DUP7 23 ADD DUP7 DUP6 STATICCALL
; [.., 2 * used]
06f  5a60a051038001               ; GAS 0xa0 MLOAD SUB DUP1 ADD
; share < 2 * used
076  6080511061010957             ; 0x80 MLOAD LT @starved JUMPI
07e  6159d860605160405103         ; 23000 0x60 MLOAD 0x40 MLOAD SUB
; q - out + size > limit
088  3d011161011057               ; RETURNDATASIZE ADD GT @large JUMPI
08f  6040519060f81b               ; 0x40 MLOAD SWAP1 248 SHL
; memory[q] = ok, size
096  3d60e01b178152               ; RETURNDATASIZE 224 SHL OR DUP2 MSTORE
; memory[q + 4:] = what it returned
09d  3d6000826004013e             ; RETURNDATASIZE 0x0 DUP3 4 ADD RETURNDATACOPY
; q += 4 + size; [p, target, length]
0a5  3d0160040160405250           ; RETURNDATASIZE ADD 4 ADD 0x40 MSTORE POP
; p += 23 + length
0ae  5b905001601701602052         ; next: SWAP1 POP ADD 23 ADD 0x20 MSTORE
; n -= 1
0b8  60016000510360005261002456   ; 1 0x0 MLOAD SUB 0x0 MSTORE @loop JUMP
; [p, target, wei]
0c5  5b508031                     ; balance: POP DUP1 BALANCE
0c9  6159d860605160405103         ; 23000 0x60 MLOAD 0x40 MLOAD SUB
0d3  602001116100fd57             ; 32 ADD GT @unfit JUMPI
; memory[q] = 1, 32
0db  604051600160f81b602060e01b178152 ; 0x40 MLOAD 1 248 SHL 32 224 SHL OR DUP2 MSTORE
; memory[q + 4:] = wei; q += 36
0eb  908160040152602401604052     ; SWAP1 DUP2 4 ADD MSTORE 36 ADD 0x40 MSTORE
; [p, target, 0]
0f7  60006100ae56                 ; 0x0 @next JUMP
0fd  5b5060006000600061011056     ; unfit: POP 0x0 0x0 0x0 @large JUMP
; used over half its share: asked again, alone
109  5b600261011356               ; starved: 2 @skip JUMP
; no room for it: asked again, in another call
110  5b6003                       ; large: 3
; memory[q] = 2 or 3, 0
113  5b60f81b60405152             ; skip: 248 SHL 0x40 MLOAD MSTORE
; q += 4
11b  600460405101604052           ; 4 0x40 MLOAD ADD 0x40 MSTORE
124  50506100ae56                 ; POP POP @next JUMP
; return memory[out:q]
12a  5b606051806040510390f3       ; end: 0x60 MLOAD DUP1 0x40 MLOAD SUB SWAP1 RETURN
"""

INITCODE = bytes.fromhex(
    "".join(line.split()[1] for line in LISTING.splitlines() if line and line[0] != ";")
)
#: EIP-3860: bytes of initcode, ours and the entries together.
INITCODE_MAX = 49_152
#: Entries of one call: their headers (4 bytes each) and 23,000 bytes of answers stay below
#: EIP-170's 24,576 bytes; and the part of the gas of each stays above that of usual reads.
ENTRIES_MAX = 256
#: Length that stands for a read of the balance.
BALANCE = 0xFFFFFF
REVERTED, RETURNED, STARVED, UNFIT = range(4)
