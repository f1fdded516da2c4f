/** Attributes of the kernels that choose the next token; what they say stands at `SamplingOptions` in ops/sample.ts. */
export interface SamplingSettings {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
}
