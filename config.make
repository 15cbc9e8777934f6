# The status page becomes bytes that are compiled in.  nginx's configure reads
# this after it has written its Makefile; "make" then follows the sources.

for tournament_part in html css js; do
    cat << END                                                >> $NGX_MAKEFILE

$NGX_OBJS/addon/endpoints/status.o: \\
	$NGX_OBJS/status_$tournament_part.inc

$NGX_OBJS/status_$tournament_part.inc: \\
	$ngx_addon_dir/src/endpoints/status.$tournament_part
	od -A n -t u1 -v $ngx_addon_dir/src/endpoints/status.$tournament_part \\
		| sed -e 's/  *\([0-9][0-9]*\)/ \1,/g' > \$@.new
	mv \$@.new \$@

END
done
