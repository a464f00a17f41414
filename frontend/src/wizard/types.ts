// What the wizard works with. Numbers of the chain are decimal strings: JSON has no uint256.
import type { AbiParameter } from "viem";

export interface ParameterFact {
  name: string;
  key: string;
  group: string;
  kind: "UINT" | "BPS" | "SECONDS" | "TOKEN_WEI" | "ENUM" | "BITMASK" | "BYTES32";
  unit: string;
  risk_class: "R" | "S" | "C";
  activation: "now" | "epoch" | "new";
  value: string;
  voted_value: string;
  min: string;
  max: string;
  step: string;
  /** What one change may set now; null for Merkle roots. */
  low: string | null;
  high: string | null;
  changed: { at: number; effective_at: number; proposal: number | null } | null;
  allowed_at: number | null;
  pending_proposals: number[];
}

export interface AssetFact {
  code: string;
  name: string;
  decimals: number;
  token: string | null;
  balance_wei: string;
}

export interface FunctionFact {
  name: string;
  inputs: AbiParameter[];
  payable: boolean;
}

export interface ContractFact {
  name: string;
  address: string;
  functions: FunctionFact[];
}

export interface Facts {
  parameters: ParameterFact[];
  assets: AssetFact[];
  contracts: ContractFact[];
  limits: { actions: number; description_bytes: number };
  block_time: number;
}

/** An action as drafts keep it and as the server takes it. */
export type Action =
  | { type: "parameter_set"; changes: { name: string; value: string }[] }
  | { type: "transfer"; asset: string; recipient: string; amount_wei: string }
  | { type: "custom_call"; target: string; value_wei: string; calldata: string };

export interface Draft {
  id: string;
  version: number;
  title: string;
  description: string;
  actions: Action[];
  step: number;
  updated_at?: string;
}

export interface Finding {
  code: string;
  severity: "error" | "warning" | "info";
  sentence: string;
  action_index: number | null;
}

export interface Preview {
  proposal_id: string;
  calldata_hash: string;
  description: string;
  kind: string;
  is_constitutional: boolean;
  block_number: number;
  actions: { target: string; value_wei: string; calldata: string; summary: string; function: string; is_dangerous: boolean }[];
  findings: Finding[];
}
