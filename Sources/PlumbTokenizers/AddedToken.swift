/// A token found in the text before any merging, with the flags of Hugging Face's `added_tokens`.
public struct AddedToken: Hashable, Sendable {
  /// The id.
  public var id: Int
  /// The text that stands for it.
  public var content: String
  /// Control tokens, such as `<|endoftext|>`, are special; they carry no text of a conversation.
  public var isSpecial: Bool
  /// Whether a match inside of a word does not count.
  public var isSingleWord: Bool
  /// Whether it swallows the whitespace to its left.
  public var stripsLeft: Bool
  /// Whether it swallows the whitespace to its right.
  public var stripsRight: Bool
  /// Whether it is looked for in the normalized text instead of the raw one.
  public var isNormalized: Bool

  /// Creates a token; without flags, it is an ordinary special token.
  public init(
    id: Int, content: String, isSpecial: Bool = true, isSingleWord: Bool = false,
    stripsLeft: Bool = false, stripsRight: Bool = false, isNormalized: Bool = false
  ) {
    self.id = id
    self.content = content
    self.isSpecial = isSpecial
    self.isSingleWord = isSingleWord
    self.stripsLeft = stripsLeft
    self.stripsRight = stripsRight
    self.isNormalized = isNormalized
  }
}
