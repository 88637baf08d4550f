// SPDX-License-Identifier: BSD-2-Clause
// goclient asks a milter about recipients by means of github.com/emersion/go-milter, a client of the milter protocol
// that shares no line with libmilter or with the tests' own.
//
// usage: goclient unix|tcp ADDRESS CLIENT-IP RECIPIENT...
//
// Prints a line for each recipient: "551 5.1.6 ...", or the letter of another answer ("c": continue).
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/emersion/go-milter"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "goclient:", err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: goclient unix|tcp ADDRESS CLIENT-IP RECIPIENT...")
		os.Exit(64)
	}
	client := milter.NewClientWithOptions(os.Args[1], os.Args[2], milter.ClientOptions{
		ReadTimeout:  20 * time.Second,
		WriteTimeout: 20 * time.Second,
		ActionMask:   0x1ff,    // as libmilter's mail servers offer; without all of them it hangs up
		ProtocolMask: 0x1fffff, // likewise
	})
	defer client.Close()

	session, err := client.Session()
	check(err)
	defer session.Close()
	_, err = session.Conn("client.example", milter.FamilyInet, 2500, os.Args[3])
	check(err)
	_, err = session.Helo("client.example")
	check(err)
	_, err = session.Mail("sender@client.example", nil)
	check(err)
	for _, recipient := range os.Args[4:] {
		said, err := session.Rcpt(recipient, nil)
		check(err)
		if said.Code == milter.ActReplyCode {
			fmt.Println(said.SMTPCode, said.SMTPText)
		} else {
			fmt.Printf("%c\n", said.Code)
		}
	}
}
