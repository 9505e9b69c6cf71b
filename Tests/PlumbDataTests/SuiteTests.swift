import Foundation
import PlumbCheckpoints
import PlumbTensors
import Testing

@testable import PlumbData

@Suite struct SolutionTests {
  static let solution = WorkedSolution(
    id: "1", question: "How much?",
    raw: """
      The house costs 80,000+50,000=$<<80000+50000=130000>>130,000
      It rises by 80,000*1.5=$<<80000*1.5=120000>>120,000
      So it is worth 120,000+80,000=$<<120000+80000=200000>>200,000
      The profit is 200,000-130,000=$<<200000-130000=70000>>70,000
      #### 70000
      """)

  func random(_ seed: Int) -> RandomStream {
    RandomStream(seed: UInt64(seed), purpose: "solution")
  }

  @Test func theTextHasNoMarksAndEndsWithTheAnswer() {
    #expect(
      Self.solution.text == """
        The house costs 80,000+50,000=$130,000
        It rises by 80,000*1.5=$120,000
        So it is worth 120,000+80,000=$200,000
        The profit is 200,000-130,000=$70,000
        The answer is 70000.
        """)
    #expect(Self.solution.finalNumber == 70000)
    #expect(WorkedSolution(id: "", question: "", raw: "no answer").text == nil)
    #expect(WorkedSolution(id: "", question: "", raw: "x\n#### -5").text == "x\nThe answer is -5.")
  }

  /// Every calculation after the wrong one is right given what came before, and so is the answer.
  @Test func aWrongStepIsCarriedOnToAnotherAnswer() throws {
    var wrongSteps: Set<Int> = []
    for seed in 0..<200 {
      var random = random(seed)
      let wrong = try #require(Self.solution.wrong(.step, random: &random))
      #expect(wrong.finalNumber != Self.solution.finalNumber)
      let (old, new) = (
        try #require(SolutionParts(Self.solution.raw)), try #require(SolutionParts(wrong.raw))
      )
      var faults: [Int] = []
      for (place, part) in new.parts.enumerated() {
        guard case .calculation(let expression, let result) = part else { continue }
        let value = try #require(Arithmetic.value(of: expression))
        if abs(value - (Double(result) ?? .nan)) > 0.01 { faults.append(place) }
      }
      #expect(faults.count == 1, "\(wrong.raw)")
      wrongSteps.formUnion(faults)
      guard case .calculation(_, let last) = new.parts[new.parts.count - 2] else { return }
      #expect(Double(last) == wrong.finalNumber)
      #expect(old.parts.count == new.parts.count)
      // What is read agrees with what is marked.
      #expect(try #require(wrong.text).hasSuffix("The answer is \(new.answer)."))
    }
    #expect(wrongSteps == [1, 3, 5, 7])
  }

  @Test func aWrongAnswerLeavesTheSteps() throws {
    for seed in 0..<50 {
      var random = random(seed)
      let wrong = try #require(Self.solution.wrong(.answer, random: &random))
      #expect(wrong.finalNumber != 70000)
      let (before, after) = (
        Self.solution.raw.split(separator: "\n"), wrong.raw.split(separator: "\n")
      )
      #expect(before.dropLast() == after.dropLast())
    }
  }

  @Test func stepsThatDoNotLeadToTheAnswerAreNotChosen() {
    var random = random(1)
    let loose = WorkedSolution(id: "", question: "", raw: "First 2+2=<<2+2=4>>4.\n#### 9")
    #expect(loose.wrong(.step, random: &random) == nil)
    let bad = WorkedSolution(
      id: "", question: "", raw: "2+2=<<2+2=4>>4\n4*2=<<4*2=9>>9\n#### 9")
    // The second result is the file's own fault, so only an error in it can be carried on.
    for seed in 0..<20 {
      random = self.random(seed)
      #expect(
        bad.wrong(.step, random: &random)?.raw.hasPrefix("2+2=<<2+2=4>>4\n4*2=<<4*2=") == true)
    }
  }

  @Test func arithmetic() {
    let cases: [(String, Double?)] = [
      ("1+2*3", 7), ("(1+2)*3", 9), ("10/4", 2.5), ("-3 + 5", 2), ("2*-3", -6), ("8-2-1", 5),
      ("1,000*2", 2000), ("1/0", nil), ("2+", nil), ("50%", nil), ("", nil), ("(2", nil),
      (".5*4", 2),
    ]
    for (text, expected) in cases { #expect(Arithmetic.value(of: text) == expected, "\(text)") }
  }
}

@Suite struct OptionQuestionTests {
  @Test func optionsAreReadInEveryForm() throws {
    let cases: [(String, String, [String], Int)] = [
      ("Where?\\nOptions:\\n- sea\\n- land", "land", ["sea", "land"], 1),
      ("x?\nOptions:\n(A) 2\n(B) 7", "(B)", ["(A) 2", "(B) 7"], 1),
      ("x?\\nOptions:\\n- (A) oil\\n- (B) tar\\n", "(A)", ["(A) oil", "(B) tar"], 0),
      (
        "Which?\\nOptions:\\n- Sentence A: \"a\"\\n- Sentence B: \"b\"", "Sentence A",
        ["Sentence A: \"a\"", "Sentence B: \"b\""], 0
      ),
    ]
    for (question, answer, options, right) in cases {
      let found = try #require(
        OptionQuestion(id: "1", source: "s", question: question, answer: answer))
      #expect(found.options == options)
      #expect(found.right == right)
      #expect(!found.question.contains("\\n"))
      for seed in 0..<10 {
        var random = RandomStream(seed: UInt64(seed), purpose: "option")
        let pair = found.pair(random: &random)
        #expect(pair.right == options[right])
        #expect(pair.wrong != pair.right && options.contains(pair.wrong))
      }
    }
  }

  @Test(arguments: [
    ("no options", "a"), ("x\nOptions:\n- a", "a"), ("x\nOptions:\n- a\n- b", "c"),
    ("x\nOptions:\n- a\n- a", "a"), ("x\nOptions:\n- a\n- b", ""), ("", ""),
  ])
  func whatHasNoRightOptionIsNone(_ question: String, _ answer: String) {
    #expect(OptionQuestion(id: "", source: "", question: question, answer: answer) == nil)
  }
}

@Suite struct StyleGridTests {
  @Test func everyRightAnswerMeetsEveryWrongOne() {
    let grid = StyleGrid(
      id: "7", domain: "chat", prompt: "p", chosen: ["a", "b", "c"], rejected: ["x", "y", "z"])
    let pairs = grid.pairs(task: "grid")
    #expect(pairs.map(\.pair.id).first == "7/0/0")
    #expect(
      pairs.map { $0.pair.chosen + $0.pair.rejected } == [
        "ax", "ay", "az", "bx", "by", "bz", "cx", "cy", "cz",
      ])
    #expect(
      pairs.map(\.task) == [
        "grid-normal", "grid-hard", "grid-hard", "grid-easy", "grid-normal", "grid-hard",
        "grid-easy", "grid-easy", "grid-normal",
      ])
    let equal = StyleGrid(
      id: "", domain: "", prompt: "p", chosen: ["a", ""], rejected: ["a", "b"])
    #expect(equal.pairs(task: "t").map(\.pair.id) == ["/0/1"])
  }

  /// By hand: below the diagonal (0.9 + 1.0 + 0.8)/3, on it (0.5 + 0.7 + 0.6)/3, above (0.3 + 0 + 0.3)/3.
  @Test func accuraciesByHand() throws {
    let found = StyleGrid.accuracies([[0.5, 0.3, 0.0], [0.9, 0.7, 0.3], [1.0, 0.8, 0.6]])
    #expect(abs(try #require(found[.easy]) - 0.9) < 1e-12)
    #expect(abs(try #require(found[.normal]) - 0.6) < 1e-12)
    #expect(abs(try #require(found[.hard]) - 0.2) < 1e-12)
  }

  @Test func filesAreReadAndFaultsNamed() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plumb-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func file(_ text: String) throws -> URL {
      let url = folder.appending(path: "rows.jsonl")
      try Data(text.utf8).write(to: url)
      return url
    }
    let grids = try SuiteFile.styleGrids(
      file(
        #"{"id": 3, "prompt": "p", "domain": "chat", "chosen": ["a", "b"], "rejected": ["c", "d"]}"#
      ))
    #expect(grids.map(\.id) == ["3"] && grids[0].rejected == ["c", "d"])
    let faults: [(String, String, (URL) throws -> Int)] = [
      (
        #"{"prompt": "p", "chosen": ["a"], "rejected": ["c", "d"]}"#, "expected 1 texts",
        { try SuiteFile.styleGrids($0).count }
      ),
      (#"{"question": "q", "answer": 4}"#, "field 'answer'", { try SuiteFile.solutions($0).count }),
      (
        #"{"question": "q", "answer": "4"}"#, "no usable row", { try SuiteFile.solutions($0).count }
      ),
      (#"{"answer": "4"}"#, "field 'question'", { try SuiteFile.options($0).count }),
    ]
    for (text, expected, read) in faults {
      let url = try file(text)
      do {
        _ = try read(url)
        Issue.record("nothing was refused")
      } catch {
        #expect("\(error)".contains(expected) && "\(error)".contains("rows.jsonl"), "\(error)")
      }
    }
  }
}
