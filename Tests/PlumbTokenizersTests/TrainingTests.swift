import PlumbTestSupport
import Testing

@testable import PlumbTokenizers

@Suite struct TrainingTests {
  @Test(arguments: 0..<3)
  func equalsTheReferenceTrainer(index: Int) throws {
    let reference = try Cases.file().training[index]
    let tokenizer = try Tokenizer.train(
      on: reference.texts, vocabularySize: reference.size,
      pattern: reference.pattern == "gpt2" ? .gpt2 : .qwen2)
    let tokens = (0..<tokenizer.vocabularySize).map { tokenizer.token(of: $0) ?? "none" }
    #expect(tokens == reference.tokens)
    let merges = tokenizer.model.merges.map {
      [tokens[Int($0.left)], tokens[Int($0.right)]].joined(separator: " ")
    }
    #expect(merges == reference.merges)
  }

  @Test func doesNotDependOnTheOrderOfTexts() throws {
    let texts = try Cases.file().training[1].texts
    let first = try Tokenizer.train(on: texts, vocabularySize: 400)
    let second = try Tokenizer.train(on: texts.reversed(), vocabularySize: 400)
    #expect(first.fingerprint == second.fingerprint)
    #expect(first.normalization == .nfc)
  }

  @Test func trainedTokenizersEncodeEverything() throws {
    let tokenizer = try Tokenizer.train(on: ["the cat", "the hat"], vocabularySize: 300)
    #expect(tokenizer.vocabularySize < 300)
    #expect(tokenizer.id(of: "<|endoftext|>") == 0)
    #expect(tokenizer.id(of: "Ġcat") != nil)
    let text = "the 猫\u{0} <|im_end|>"
    #expect(same(tokenizer.decode(tokenizer.encode(text)), text))
    #expect(tokenizer.encode(text).contains(2))
    #expect(try ConversationEncoder(tokenizer: tokenizer, template: .chatML).endOfText == 0)
  }

  @Test func noMergeSpellsASpecialToken() throws {
    let texts = Array(repeating: "endmark endmark", count: 50)
    let tokenizer = try Tokenizer.train(
      on: texts, vocabularySize: 300, specialTokens: ["<|endoftext|>", "endmark"], pattern: .gpt2)
    #expect(tokenizer.encode("endmark") == [1])
    #expect(!tokenizer.encode("endmark", parsingSpecialTokens: false).contains(1))
    #expect(tokenizer.id(of: "Ġendmark") != nil)
  }

  @Test func rarePairsAreLeftAlone() throws {
    let tokenizer = try Tokenizer.train(
      on: ["aa bb bb"], vocabularySize: 300, pattern: .gpt2, minimumCount: 2)
    #expect(tokenizer.id(of: "aa") == nil)
    #expect(tokenizer.id(of: "bb") != nil)
  }

  @Test func reportsProgress() throws {
    var counted = 0
    var merged: [Int] = []
    let words = (0..<60_000).map { number in
      "word " + String(number &* 7919 % 60_000, radix: 36, uppercase: false) + " number of the text"
    }
    _ = try Tokenizer.train(on: words, vocabularySize: 1000) { progress in
      switch progress {
      case .counting(let bytes): counted = bytes
      case .merging(let tokens, of: let goal):
        #expect(goal == 1000)
        merged.append(tokens)
      }
    }
    #expect(counted >= 1 << 20)
    #expect(!merged.isEmpty && merged == merged.sorted())
  }

  @Test func refusesImpossibleRequests() {
    #expect(
      message { _ = try Tokenizer.train(on: ["a"], vocabularySize: 258) }
        == "tokenizer training: expected a vocabulary of 259 (256 bytes and the special tokens) "
        + "or more, found 258")
    for tokens in [["a"], ["<x>", "<x>"], [""]] {
      let error = message {
        _ = try Tokenizer.train(on: ["a"], vocabularySize: 999, specialTokens: tokens)
      }
      #expect(error.contains("different special tokens"), "\(tokens)")
    }
  }

  @Test func anEmptyCorpusGivesTheBytes() throws {
    let tokenizer = try Tokenizer.train(on: [String](), vocabularySize: 1000)
    #expect(tokenizer.vocabularySize == 259)
    #expect(tokenizer.decode(tokenizer.encode("abc")) == "abc")
  }
}
