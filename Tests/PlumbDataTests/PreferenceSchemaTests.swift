import Foundation
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct PreferenceSchemaTests {
  @Test func promptStrings() throws {
    let (rows, report) = try DataFile.preferencePairs(fixture("pair-prompt-strings.jsonl"))
    #expect(rows.map(\.chosen) == ["The Danube.", "good"])
    #expect(rows[0].prompt == [user("Name a river.")])
    #expect(rows[0].rejected == "A tree.")
    #expect(rows[0].id == "pair-prompt-strings-1" && rows[0].source == "pair-prompt-strings")
    #expect(rows.map(\.margin) == [nil, 1.5])
    #expect(report.rows == 7 && report.kept == 2)
    #expect(
      report.dropped == [
        "empty response": 2, "identical responses": 1, "empty prompt": 1, "tie": 1,
      ])
    #expect(report.schemas == ["prompt/chosen/rejected": 7])
    #expect(report.droppedCount + report.kept == report.rows)
  }

  @Test func promptMessages() throws {
    let rows = try DataFile.preferencePairs(fixture("pair-prompt-messages.jsonl")).rows
    #expect(rows[0].prompt == [user("What is ice?")])
    #expect(rows[0].chosen == "Frozen water." && rows[0].rejected == "Hot sand.")
    #expect(rows[1].prompt.map(\.role) == ["system", "user"])
    #expect(rows[1].promptKey == "What is snow?")
  }

  @Test func implicitPrompt() throws {
    let (rows, report) = try DataFile.preferencePairs(fixture("pair-implicit-prompt.jsonl"))
    #expect(
      rows.map(\.prompt) == [
        [user("What is rain?")],
        [user("One."), assistant("Two."), user("Three?")],
        [user("What is fog?")],
      ])
    #expect(rows.map(\.chosen) == ["Falling water.", "Four.", "A cloud."])
    #expect(rows.map(\.rejected) == ["Falling stones.", "Nine.", "A frog."])
    #expect(report.dropped == ["conversations differ before the last answer": 1])
  }

  @Test func messagesWithAnswers() throws {
    let rows = try DataFile.preferencePairs(fixture("pair-messages.jsonl")).rows
    #expect(rows[0].id == "m-0" && rows[0].source == "own")
    #expect(rows[1].prompt == [user("Hello."), assistant("Hello!"), user("How are you?")])
  }

  @Test func transcripts() throws {
    let (rows, report) = try DataFile.preferencePairs(fixture("pair-transcripts.jsonl"))
    #expect(rows.count == 1)
    #expect(
      rows[0].prompt == [
        user("How do I boil an egg?"), assistant("Put it in boiling water.\n\nThen wait."),
        user("How long?"),
      ])
    #expect(rows[0].chosen == "About eight minutes." && rows[0].rejected == "A year.")
    #expect(
      report.dropped == [
        "conversations differ before the last answer": 1, "empty response": 1,
      ])
  }

  @Test func openTranscriptAsPrompt() throws {
    let line = #"{"prompt":"\n\nHuman: Hi\n\nAssistant:","chosen":" Hello.","rejected":" Go."}"#
    let rows = try withFile(line) { try DataFile.preferencePairs($0).rows }
    #expect(rows[0].prompt == [user("Hi")])
  }

  @Test func shareGPT() throws {
    let rows = try DataFile.preferencePairs(fixture("pair-sharegpt.jsonl")).rows
    #expect(rows[0].prompt == [user("What is a fox?")])
    #expect(rows[0].chosen == "An animal." && rows[0].rejected == "A plant.")
  }

  @Test func instructions() throws {
    let rows = try DataFile.preferencePairs(fixture("pair-instruction.jsonl")).rows
    #expect(rows[0].prompt == [user("Correct the word.\n\nfreind")])
    #expect(
      rows[1].prompt == [Message(role: "system", content: "Be kind."), user("Is it late?")])
  }

  @Test func realRows() throws {
    for (name, count) in [("real-politeness.jsonl", 6), ("real-pandalm.jsonl", 6)] {
      let (rows, report) = try DataFile.preferencePairs(fixture(name))
      #expect(rows.count == count && report.dropped.isEmpty)
      #expect(rows.allSatisfy { $0.prompt.count == 1 && $0.chosen != $0.rejected })
    }
  }

  @Test func limitsAreCounted() throws {
    var options = ReadOptions()
    options.maximumPromptCharacters = 13
    let (rows, report) = try DataFile.preferencePairs(
      fixture("pair-implicit-prompt.jsonl"), options: options)
    #expect(rows.count == 2)
    #expect(report.dropped["prompt too long"] == 1)
    options.maximumResponseCharacters = 8
    let error = dataError {
      _ = try DataFile.preferencePairs(fixture("pair-prompt-messages.jsonl"), options: options)
    }
    #expect(error?.kind == .noUsableRows)
    #expect(error?.found == "2 rows (prompt too long: 1, response too long: 1)")
    options = ReadOptions()
    options.maximumRows = 1
    let few = try DataFile.preferencePairs(fixture("pair-messages.jsonl"), options: options)
    #expect(few.rows.count == 1 && few.report.rows == 1)
  }

  @Test func writtenRowsReadBack() throws {
    let rows = try DataFile.preferencePairs(fixture("pair-prompt-strings.jsonl")).rows
    try withTemporaryDirectory { folder in
      for name in ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"] {
        let url = folder.appending(path: name)
        try DataFile.write(rows, to: url)
        #expect(try DataFile.preferencePairs(url).rows == rows)
      }
    }
  }
}
