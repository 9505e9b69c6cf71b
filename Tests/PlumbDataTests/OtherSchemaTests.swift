import Foundation
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct OtherSchemaTests {
  @Test func instructionDemonstrations() throws {
    let (rows, report) = try DataFile.demonstrations(fixture("demo-instruction.jsonl"))
    #expect(
      rows.map(\.messages) == [
        [user("Convert to metres.\n\n45 km"), assistant("45000 m")],
        [user("Say hello."), assistant("Hello.")],
      ])
    #expect(report.dropped == ["empty response": 1])
    #expect(
      try DataFile.demonstrations(fixture("list.json")).rows.map(\.response) == ["2", "*waves*"])
  }

  @Test func conversationDemonstrations() throws {
    let (rows, report) = try DataFile.demonstrations(fixture("demo-messages.jsonl"))
    #expect(rows.count == 1 && rows[0].response == "Goodbye!" && rows[0].prompt.count == 3)
    #expect(report.dropped == ["no answer": 1])
    let shared = try DataFile.demonstrations(fixture("demo-sharegpt.jsonl")).rows
    #expect(shared[0].messages.map(\.role) == ["system", "user", "assistant"])
  }

  @Test func questionDemonstrations() throws {
    let (rows, report) = try DataFile.demonstrations(fixture("demo-question.jsonl"))
    #expect(rows[0].response == "2 + 3 = <<2+3=5>>5\n#### 5")
    #expect(rows[1].prompt == [user("Where is a book?\nOptions:\n- shelf\n- soup")])
    #expect(rows[1].response == "Books stand on shelves.\nThe answer is shelf.")
    #expect(report.schemas == ["question/answer": 1, "question/answer/rationale": 1])
    #expect(try DataFile.demonstrations(fixture("real-gsm8k.jsonl")).rows.count == 4)
    #expect(try DataFile.demonstrations(fixture("real-flan-cot.jsonl")).rows.count == 3)
  }

  @Test func completions() throws {
    let rows = try DataFile.demonstrations(fixture("demo-completion.jsonl")).rows
    #expect(rows.map(\.response) == [" blue.", "green."])
  }

  @Test func unpaired() throws {
    let (rows, report) = try DataFile.unpairedRows(fixture("unpaired.jsonl"))
    #expect(rows.map(\.response) == ["Trout.", "Granite.", "Oak."])
    #expect(rows.map(\.label) == [true, false, true])
    #expect(rows.map(\.promptKey) == ["Name a fish.", "Name a bird.", "Name a tree."])
    #expect(report.dropped == ["empty response": 1])
  }

  @Test func prompts() throws {
    let (rows, report) = try DataFile.prompts(fixture("prompts.jsonl"))
    #expect(rows.map(\.promptKey) == ["Tell me a story.", "Tell me a joke."])
    #expect(report.dropped == ["empty prompt": 1])
    let instructions = try DataFile.prompts(fixture("instructions.jsonl")).rows
    #expect(instructions.map(\.id) == ["0", "1"])
    #expect(instructions[1].prompt == [user("Translate.\n\nHaus")])
  }

  @Test func texts() throws {
    let (rows, report) = try DataFile.texts(fixture("texts.jsonl"))
    #expect(rows[0].content == .text("A first text.\nWith two lines."))
    #expect(rows[1].content == .messages([user("Why?"), assistant("Because.")]))
    #expect(rows[1].text == "Why?\n\nBecause.")
    #expect(report.dropped == ["no text": 1])
  }

  /// Rows that hold more than is asked for are converted.
  @Test func conversions() throws {
    let pairs = fixture("pair-messages.jsonl")
    #expect(
      try DataFile.demonstrations(pairs).rows.map(\.response) == [
        "Usually, yes.", "Well, thank you.",
      ])
    #expect(try DataFile.prompts(pairs).rows.map(\.prompt.count) == [1, 3])
    let unpaired = try DataFile.unpairedRows(pairs).rows
    #expect(unpaired.map(\.label) == [true, false, true, false])
    #expect(unpaired[1].response == "Tea is a colour." && unpaired[1].id == "m-0-rejected")
    #expect(try DataFile.demonstrations(fixture("unpaired.jsonl")).rows.count == 2)
    #expect(try DataFile.prompts(fixture("threads.jsonl")).rows.count == 2)
    #expect(try DataFile.texts(fixture("threads.jsonl")).rows[1].text == "One answer only\n\nYes.")
  }

  @Test func everyRecordIsWrittenAndReadBack() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "out.jsonl.zst")
      let demonstrations = try DataFile.demonstrations(fixture("demo-sharegpt.jsonl")).rows
      try DataFile.write(demonstrations, to: url)
      #expect(try DataFile.demonstrations(url).rows == demonstrations)
      let unpaired = try DataFile.unpairedRows(fixture("unpaired.jsonl")).rows
      try DataFile.write(unpaired, to: url)
      #expect(try DataFile.unpairedRows(url).rows == unpaired)
      let prompts = try DataFile.prompts(fixture("prompts.jsonl")).rows
      try DataFile.write(prompts, to: url)
      #expect(try DataFile.prompts(url).rows == prompts)
      let texts = try DataFile.texts(fixture("texts.jsonl")).rows
      try DataFile.write(texts, to: url)
      #expect(try DataFile.texts(url).rows == texts)
    }
  }

  @Test(arguments: [
    ("pair-transcripts.jsonl", "preference pairs"), ("unpaired.jsonl", "unpaired rows"),
    ("demo-question.jsonl", "demonstrations"), ("prompts.jsonl", "prompts"),
    ("texts.jsonl", "texts"), ("threads.jsonl", "forum threads"), ("list.json", "demonstrations"),
  ])
  func inspectFindsTheKind(name: String, kind: String) throws {
    let report = try DataFile.inspect(fixture(name))
    #expect(report.kind == kind)
    #expect(report.kept > 0)
  }

  @Test func inspectReadsMixedConversationsAndTextAsTexts() throws {
    let report = try DataFile.inspect(exampleData("pretraining.jsonl.zst"))
    #expect(report.kind == "texts" && report.kept == 7_198 && report.dropped.isEmpty)
  }
}
