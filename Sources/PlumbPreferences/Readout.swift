/// Where a preference model reads its answer from a sequence.
///
/// WorldPM reads the hidden state of the first `<|endoftext|>` after the response. The released code
/// finds it as "the position before the first pad id", which moves to `<|im_end|>` as soon as pad and
/// end-of-text are one id. Here the position is searched for explicitly, and nothing is padded.
public enum Readout: Hashable, Sendable {
  /// The first end-of-text id of the response, appended where the response has none.
  case firstEndOfText(Int32)
  /// The last token, whatever it is (TRL's sequence classifiers).
  case lastToken

  /// The response as the model sees it: cut after the token that is read, which is its last one.
  ///
  /// A causal model cannot see what comes later, so the cut changes no score.
  /// - Parameter response: ids after the prompt; for a bare sequence, all its ids.
  /// - Returns: ids whose last position is the one to read; may be empty only for `lastToken`.
  public func prepared(_ response: [Int32]) -> [Int32] {
    switch self {
    case .lastToken: response
    case .firstEndOfText(let id):
      if let end = response.firstIndex(of: id) {
        Array(response[...end])
      } else {
        response + [id]
      }
    }
  }

  /// The index in `response` that is read; nil where there is none.
  func row(in response: ArraySlice<Int32>) -> Int? {
    switch self {
    case .lastToken: response.indices.last
    case .firstEndOfText(let id): response.firstIndex(of: id)
    }
  }
}
