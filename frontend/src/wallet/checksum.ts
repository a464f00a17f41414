// EIP-55, loaded only where an address came from a wallet and not from our server.
export { getAddress } from "viem/utils";
