/// How far the training of a tokenizer has come.
public enum TrainingProgress: Hashable, Sendable {
  /// Texts are being cut into pre-tokens: bytes read so far.
  case counting(bytes: Int)
  /// Pairs are being merged: tokens in the vocabulary so far, out of those wanted.
  case merging(tokens: Int, of: Int)
}
