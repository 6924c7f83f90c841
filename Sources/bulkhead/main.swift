import ArgumentParser
import Supervisor
import TOMLKit
print(try TOMLTable(string: "a = 1"), placeholder())
