module sigpp/bench

go 1.19
