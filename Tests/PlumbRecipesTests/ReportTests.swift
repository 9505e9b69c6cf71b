import Foundation
import Testing

@testable import PlumbRecipes

@Suite struct ReportTests {
  @Test func writeDemo() throws {
    if let path = ProcessInfo.processInfo.environment["PLUMB_DEMO"] {
      try Data(DemoReport.report.html.utf8).write(to: URL(filePath: path))
    }
  }
}
