import PlumbModels
import PlumbTokenizers

extension Row {
  /// Refuses a sequence that the model cannot read, naming the line.
  func check(_ tokens: [Int32], fit configuration: DecoderConfiguration) throws {
    do {
      try configuration.validate(tokens: tokens)
    } catch {
      throw fault("\(error)")
    }
  }
}

extension ConversationEncoder {
  /// The ids of a text that stands outside of any conversation, to be continued as it is.
  func continuation(of text: String) -> [Int32] {
    (tokenizer.prefixIDs + tokenizer.encode(text, parsingSpecialTokens: false)).map(Int32.init)
  }
}
