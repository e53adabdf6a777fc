// os/signal. The runtime hands a signal to a channel only if that has room, so each signal has its
// own: none crowds out another.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"syscall"
	"time"
)

func on(s os.Signal) chan os.Signal {
	c := make(chan os.Signal, 1024)
	signal.Notify(c, s)
	return c
}

func latency(rounds int) {
	self, usr1 := os.Getpid(), on(syscall.SIGUSR1)
	samples := make([]int64, 0, rounds)
	for i := -rounds / 10; i < rounds; i++ { // the first ones warm up
		sent := time.Now() // it has CLOCK_MONOTONIC in it
		syscall.Kill(self, syscall.SIGUSR1)
		<-usr1
		if took := time.Since(sent); i >= 0 {
			samples = append(samples, took.Nanoseconds())
		}
	}
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	fmt.Printf("{\"min\": %d, \"median\": %d}\n", samples[0], samples[len(samples)/2])
}

func main() {
	mode := os.Args[1]
	number, _ := strconv.Atoi(os.Args[2])
	var usr1, queued, other chan os.Signal // nothing comes from a channel that is nil
	term := on(syscall.SIGTERM)
	switch mode {
	case "latency":
		latency(number)
		return
	case "late":
		other = on(syscall.SIGUSR2)
		for i := 0; i < number; i++ {
			syscall.Kill(os.Getpid(), syscall.SIGUSR2)
		}
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
	case "echo":
		usr1 = on(syscall.SIGUSR1)
	case "storm":
		usr1, queued = on(syscall.SIGUSR1), on(syscall.Signal(35)) // glibc's SIGRTMIN + 1
	case "serve":
		other = on(os.Interrupt)
	default:
		log.Fatalln("There is no mode", mode)
	}
	if mode != "late" {
		fmt.Println("ready")
	}
	standard, values := 0, 0
	for {
		select {
		case <-usr1:
			standard++
			if mode == "echo" {
				syscall.Kill(number, syscall.SIGUSR1)
			}
		case <-queued:
			values++
		case <-other:
		case <-term:
			switch mode {
			case "storm":
				fmt.Printf("{\"standard\": %d, \"queued\": %d, \"in_order\": null}\n", standard, values)
			case "late":
				fmt.Println(`{"term": true}`)
			}
			return
		}
	}
}
